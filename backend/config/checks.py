"""System checks of the installed packages and of the secret key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from apps.core.packages import missing_optional_packages, missing_packages


def register() -> None:
    checks.register(check_packages, checks.Tags.compatibility)
    checks.register(check_secret_key, checks.Tags.security, deploy=True)
    checks.register(check_proxy, checks.Tags.security, deploy=True)


def check_packages(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    hint = "Tickets need it. `make setup` installs everything."
    optional = "Tickets are drawn without it. Tests and benchmarks compare tickets with what it draws."
    return [
        *(checks.Error(line, hint=hint, id="events.E001") for line in missing_packages()),
        *(checks.Warning(line, hint=optional, id="admit.W002") for line in missing_optional_packages()),
    ]


def check_proxy(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Warn when BEHIND_PROXY and the scheme of PUBLIC_URL contradict each other."""
    is_https = settings.PUBLIC_URL.startswith("https://")
    if is_https and not settings.BEHIND_PROXY and settings.SECURE_SSL_REDIRECT:
        return [
            checks.Warning(
                "PUBLIC_URL is https, but BEHIND_PROXY is off: every request looks like http and is redirected again.",
                hint="Remove BEHIND_PROXY=False if a proxy with TLS stands in front. If this server has the "
                "certificate itself, set SECURE_SSL_REDIRECT=False.",
                id="admit.W003",
            )
        ]
    if settings.BEHIND_PROXY and not is_https:
        return [
            checks.Warning(
                "BEHIND_PROXY is on, but PUBLIC_URL is not https. Without a proxy, clients choose the address by which "
                "their sign-ins are limited.",
                hint="Set PUBLIC_URL to the https address of the proxy, or remove BEHIND_PROXY.",
                id="admit.W004",
            )
        ]
    return []


def check_secret_key(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if settings.SECRET_KEY_FILE is None:
        return []
    return [
        checks.Warning(
            f"SECRET_KEY is not set, so this machine uses a key that it has generated, in {settings.SECRET_KEY_FILE}.",
            hint="Keep a copy of that file: without it, all sessions are invalid, and so are all tickets unless "
            "TICKET_SIGNING_KEYS is set. Several machines need one key for all: set SECRET_KEY on each to the content "
            "of the file.",
            id="events.W006",
        )
    ]
