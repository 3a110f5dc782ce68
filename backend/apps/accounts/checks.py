"""Misconfiguration of who may reach and enter the site, told by `manage.py check --deploy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from .public_url import public_host


def register() -> None:
    checks.register(check_hosts, checks.Tags.security, deploy=True)


def check_hosts(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        checks.Warning(
            "The site answers to every name that a request gives it (ALLOWED_HOSTS=*), also to those of attackers.",
            hint=f"Set ALLOWED_HOSTS={public_host().partition(':')[0]}, the host of PUBLIC_URL.",
            id="accounts.W001",
        )
    ]
