"""Check the settings of webhooks, in `manage.py check --deploy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks


def register() -> None:
    checks.register(check_private_addresses, checks.Tags.security, deploy=True)


def check_private_addresses(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        return []
    return [
        checks.Warning(
            "Webhooks may be sent to private addresses and over plain http: organisers can reach the internal network.",
            hint="Remove WEBHOOK_ALLOW_PRIVATE, and DEBUG, which turns it on.",
            id="webhooks.W001",
        )
    ]
