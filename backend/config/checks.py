"""System checks of what the whole project needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from apps.core.packages import missing_optional_packages, missing_packages


def register() -> None:
    checks.register(check_packages, checks.Tags.compatibility)
    checks.register(check_secret_key, checks.Tags.security, deploy=True)


def check_packages(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    hint = "Tickets need it. `make setup` installs everything at once."
    optional = "Tickets are drawn without it. Tests and benchmarks compare tickets with what it draws."
    return [
        *(checks.Error(line, hint=hint, id="events.E001") for line in missing_packages()),
        *(checks.Warning(line, hint=optional, id="events.W012") for line in missing_optional_packages()),
    ]


def check_secret_key(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if settings.SECRET_KEY_FILE is None:
        return []
    return [
        checks.Warning(
            f"SECRET_KEY is not set, so this machine signs with one of its own, in {settings.SECRET_KEY_FILE}.",
            hint="Keep a copy of that file: without it sessions are void, and without TICKET_SIGNING_KEYS every "
            "ticket is. Several machines need one key for all: set SECRET_KEY to what the file holds on each.",
            id="events.W006",
        )
    ]
