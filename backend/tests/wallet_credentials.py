"""Credentials for both wallets as the settings name them, made by `ticketkit.testing`."""

from __future__ import annotations

from pathlib import Path

from ticketkit import testing
from ticketkit.testing import pem


class Authority(testing.Authority):
    """An authority that writes what it issues where the settings look for it."""

    def settings(self, folder: Path, password: bytes | None = None) -> dict[str, str]:
        """Both wallets' settings by name, with their files written into the folder."""
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
