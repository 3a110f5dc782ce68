"""System checks of the credentials for wallet passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks

from .passes import Wallet, expiring, problems


def register() -> None:
    checks.register(check_wallets, checks.Tags.security)


def check_wallets(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    ids = {Wallet.APPLE: "events.E004", Wallet.GOOGLE: "events.E005"}
    hint = "Correct the settings of {wallet}, or leave all of them empty to turn it off; docs/reference/settings.md."
    found: list[checks.CheckMessage] = [
        checks.Error(f"{wallet} is off: {problem}.", hint=hint.format(wallet=wallet), id=ids[wallet])
        for wallet, problem in problems().items()
    ]
    renew = (
        "Create a new certificate for the same Pass Type ID in Apple's developer account; docs/reference/settings.md."
    )
    return found + [checks.Warning(text, hint=renew, id="events.W010") for text in expiring().values()]
