"""Make the credentials of both wallets, and the settings that name them."""

from __future__ import annotations

from pathlib import Path

from ticketkit import testing
from ticketkit.testing import pem


class Authority(testing.Authority):
    """An authority that writes its certificates and keys to files."""

    def settings(self, folder: Path, password: bytes | None = None) -> dict[str, str]:
        """Write the files to the folder. Return the settings of both wallets by name."""
        contents = {
            "APPLE_WALLET_CERTIFICATE": self.member(),
            "APPLE_WALLET_KEY": pem(self.member_key, password),
            "APPLE_WALLET_INTERMEDIATE": self.certificate,
            "GOOGLE_WALLET_CREDENTIALS": self.service_account().encode(),
        }
        for setting, content in contents.items():
            (folder / setting).write_bytes(content)
        paths = {setting: str(folder / setting) for setting in contents}
        return paths | {
            "APPLE_WALLET_KEY_PASSWORD": (password or b"").decode(),
            "GOOGLE_WALLET_ISSUER_ID": "3388000000012345678",
        }
