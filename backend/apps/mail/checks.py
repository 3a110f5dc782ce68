"""Check the mail settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

OUTBOX = "apps.mail.outbox.OutboxBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def register() -> None:
    checks.register(check_transport)
    checks.register(check_mail_server, checks.Tags.security, deploy=True)


def check_transport(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    try:
        import_string(settings.MAIL_TRANSPORT)
    except ImportError as error:
        return [
            checks.Error(
                f"MAIL_TRANSPORT={settings.MAIL_TRANSPORT} is not an email backend that can be imported: {error}",
                hint="For a backend of Anymail: pip install django-anymail. Its documentation lists the names.",
                id="events.E006",
            )
        ]
    return []


def check_mail_server(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if settings.EMAIL_BACKEND != OUTBOX:
        return [
            checks.Warning(
                "No mail leaves this machine, so users can't confirm addresses or reset passwords.",
                hint="Set EMAIL_URL=submission://user:password@host:587 in backend/.env, or MAIL_TRANSPORT.",
                id="events.W005",
            )
        ]
    if settings.MAIL_TRANSPORT != SMTP:
        return []
    if settings.EMAIL_HOST_PASSWORD and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL):
        return [
            checks.Warning(
                "Mail, sign-in codes and the password of the mail server are sent to it unencrypted.",
                hint="Write submission://user:password@host:587 (STARTTLS) or add ?ssl=True to EMAIL_URL.",
                id="events.W004",
            )
        ]
    return []
