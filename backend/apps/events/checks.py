"""Misconfiguration, told before it hurts: `manage.py check`, and `check --deploy` for production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from apps.core.packages import missing_packages
from apps.wallets.passes import Wallet, expiring, problems

from .codes import keyring

MAIL_SERVER = "apps.mail.outbox.OutboxBackend"


def register() -> None:
    checks.register(check_packages, checks.Tags.compatibility)
    checks.register(check_cloudinary, checks.Tags.files)
    checks.register(check_signing_keys, checks.Tags.security)
    checks.register(check_wallets, checks.Tags.security)
    checks.register(check_production, checks.Tags.security, deploy=True)


def check_packages(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    hint = "Tickets need it. `make setup` installs everything at once."
    return [checks.Error(line, hint=hint, id="events.E001") for line in missing_packages()]


def check_cloudinary(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
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


def check_signing_keys(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    try:
        keyring()
    except ImproperlyConfigured as error:
        hint = "`openssl rand -base64 32` makes a key for TICKET_SIGNING_KEYS, `openssl rand -base64 48` a SECRET_KEY."
        return [checks.Error(str(error), hint=hint, id="events.E003")]
    return []


def check_wallets(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    ids = {Wallet.APPLE: "events.E004", Wallet.GOOGLE: "events.E005"}
    hint = "Correct the settings of {wallet}, or leave all of them empty to do without; docs/reference/settings.md."
    found: list[checks.CheckMessage] = [
        checks.Error(f"{wallet} is off: {problem}.", hint=hint.format(wallet=wallet), id=ids[wallet])
        for wallet, problem in problems().items()
    ]
    renew = (
        "Create a new certificate for the same Pass Type ID in Apple's developer account; docs/reference/settings.md."
    )
    return found + [checks.Warning(text, hint=renew, id="events.W010") for text in expiring().values()]


def check_production(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if settings.CLOUDINARY_ACCOUNT.is_cloudlet:
        found.append(
            checks.Warning(
                "No Cloudinary account is configured, so ticket files go to cloudlet on this machine.",
                hint="Set CLOUDINARY_CLOUD_NAME, CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET in backend/.env.",
                id="events.W001",
            )
        )
    if not settings.TICKET_SIGNING_KEYS:
        found.append(
            checks.Warning(
                "Ticket codes are signed with a key derived from SECRET_KEY: changing or losing it voids every ticket.",
                hint="Set TICKET_SIGNING_KEYS=1=$(openssl rand -base64 32) before the first ticket is issued.",
                id="events.W002",
            )
        )
    if settings.SECRET_KEY_FILE is not None:
        found.append(
            checks.Warning(
                f"SECRET_KEY is not set, so this machine signs with one of its own, in {settings.SECRET_KEY_FILE}.",
                hint="Keep a copy of that file: without it sessions are void, and without TICKET_SIGNING_KEYS every "
                "ticket is. Several machines need one key for all: set SECRET_KEY to what the file holds on each.",
                id="events.W006",
            )
        )
    if settings.CLOUDINARY_DELIVERY_TYPE == "upload":
        found.append(
            checks.Warning(
                "Ticket files are public to anyone who has their URL.",
                hint="Remove CLOUDINARY_DELIVERY_TYPE=upload unless you mean it.",
                id="events.W003",
            )
        )
    if settings.EMAIL_BACKEND == MAIL_SERVER:
        if settings.EMAIL_HOST_PASSWORD and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL):
            found.append(
                checks.Warning(
                    "Mail, with its password and the codes for signing in, goes to the mail server unencrypted.",
                    hint="Write submission://user:password@host:587 (STARTTLS) or add ?ssl=True to EMAIL_URL.",
                    id="events.W004",
                )
            )
    else:
        found.append(
            checks.Warning(
                "No mail leaves this machine, so nobody can confirm an address or set a new password.",
                hint="Set EMAIL_URL=submission://user:password@host:587 in backend/.env.",
                id="events.W005",
            )
        )
    return found
