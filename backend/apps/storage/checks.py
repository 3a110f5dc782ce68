"""System checks of the storage account: its credentials, and whether files are public."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks


def register() -> None:
    """Register the checks of this module."""
    checks.register(check_credentials, checks.Tags.files)
    checks.register(check_account, checks.Tags.security, deploy=True)


def check_credentials(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Return an error if the credentials are the placeholders of the documentation."""
    account = settings.CLOUDINARY_ACCOUNT
    if "your_" in f"{account.cloud_name} {account.api_key} {account.api_secret}":
        return [
            checks.Error(
                "The Cloudinary credentials are still the examples of the documentation.",
                hint="Put your own into backend/.env, or leave all of them empty to use cloudlet on this machine.",
                id="events.E002",
            )
        ]
    return []


def check_account(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Return warnings, for `check --deploy`, if cloudlet is used or if ticket files are public."""
    warnings: list[checks.CheckMessage] = []
    if settings.CLOUDINARY_ACCOUNT.is_cloudlet:
        warnings.append(
            checks.Warning(
                "No Cloudinary account is configured, so ticket files go to cloudlet on this machine.",
                hint="Set CLOUDINARY_CLOUD_NAME, CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET in backend/.env.",
                id="events.W001",
            )
        )
    if settings.CLOUDINARY_DELIVERY_TYPE == "upload":
        warnings.append(
            checks.Warning(
                "Ticket files are public to anyone who has their URL.",
                hint="Remove CLOUDINARY_DELIVERY_TYPE=upload unless you mean it.",
                id="events.W003",
            )
        )
    return warnings
