"""Misconfiguration of webhooks, told by `manage.py check --deploy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks


def register() -> None:
    checks.register(check_destinations, checks.Tags.security, deploy=True)


def check_destinations(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        return []
    return [
        checks.Warning(
            "Webhooks may go to private addresses and over plain http: organisers can reach this network's insides.",
            hint="Remove WEBHOOK_ALLOW_PRIVATE, and DEBUG, which turns it on.",
            id="webhooks.W001",
        )
    ]
