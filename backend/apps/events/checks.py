"""System checks of the keys that sign ticket codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from .codes import keyring


def register() -> None:
    checks.register(check_signing_keys, checks.Tags.security)
    checks.register(check_derived_key, checks.Tags.security, deploy=True)


def check_signing_keys(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    try:
        keyring()
    except ImproperlyConfigured as error:
        hint = "`openssl rand -base64 32` makes a key for TICKET_SIGNING_KEYS, `openssl rand -base64 48` a SECRET_KEY."
        return [checks.Error(str(error), hint=hint, id="events.E003")]
    return []


def check_derived_key(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if settings.TICKET_SIGNING_KEYS:
        return []
    return [
        checks.Warning(
            "Ticket codes are signed with a key derived from SECRET_KEY: without it, no ticket is valid.",
            hint="Set TICKET_SIGNING_KEYS=1=$(openssl rand -base64 32) before the first ticket is issued.",
            id="events.W002",
        )
    ]
