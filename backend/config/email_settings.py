"""Read EMAIL_URL strictly, so that a typing error does not lead to lost mail or an unencrypted connection."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env

SMTP = "django.core.mail.backends.smtp.EmailBackend"
OUTBOX = "apps.mail.outbox.OutboxBackend"
ANYMAIL = "ANYMAIL_"
SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD")
SCHEMES = {
    "submission": "a mail server, over STARTTLS, on port 587",
    "smtp": "a mail server; with ?ssl=True over TLS from the start, without it for one on this machine",
    "console": "the log",
    "file": "a folder",
    "memory": "nowhere, for tests",
    "dummy": "nowhere",
}


def read_email(env: Env) -> dict[str, Any]:
    """Return Django's EMAIL_* settings, MAIL_TRANSPORT and ANYMAIL. By default, mail is written to the console.

    Mail for a server or a service is written to the outbox first, so that no request waits for the network.
    MAIL_TRANSPORT is the email backend that sends the mail of the outbox: SMTP, or one of Anymail's, whose settings are
    read from the variables that begin with ANYMAIL_.

    Raises ImproperlyConfigured for an unknown scheme, which `dj_email_url` would ignore silently.
    """
    url, transport = env.str("EMAIL_URL", ""), env.str("MAIL_TRANSPORT", SMTP)
    service = {name.removeprefix(ANYMAIL): text for name, text in os.environ.items() if name.startswith(ANYMAIL)}
    common: dict[str, Any] = {
        "MAIL_TRANSPORT": transport,
        "ANYMAIL": service,
        "ANYMAIL_SECRETS": {name: text for name, text in service.items() if SECRET_NAME.search(name)},
    }
    if not url:
        console = "django.core.mail.backends.console.EmailBackend"
        return {**common, "EMAIL_BACKEND": console if transport == SMTP else OUTBOX}
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        known = "; ".join(f"{name}:// is {where}" for name, where in SCHEMES.items())
        raise ImproperlyConfigured(f"EMAIL_URL begins with {scheme or 'no scheme'}://, which is unknown. {known}.")
    settings: dict[str, Any] = common | env.dj_email_url("EMAIL_URL")
    if settings["EMAIL_BACKEND"] == SMTP or transport != SMTP:
        settings["EMAIL_BACKEND"] = OUTBOX
    return settings
