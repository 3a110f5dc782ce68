"""Reads EMAIL_URL strictly: what it doesn't understand must not end as mail that is lost, or sent in the clear."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env

SMTP = "django.core.mail.backends.smtp.EmailBackend"
OUTBOX = "apps.mail.outbox.OutboxBackend"
SCHEMES = {
    "submission": "a mail server, over STARTTLS, on port 587",
    "smtp": "a mail server; with ?ssl=True over TLS from the start, without it for one on this machine",
    "console": "the log",
    "file": "a folder",
    "memory": "nowhere, for tests",
    "dummy": "nowhere",
}


def read_email(env: Env) -> dict[str, Any]:
    """Django's EMAIL_* settings; mail goes to the console when nothing is said.

    Mail for a server is written down first, so that no request waits for the network.

    Raises ImproperlyConfigured for a scheme that is not known, which the library behind this passes over in silence.
    """
    url = env.str("EMAIL_URL", "")
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        known = "; ".join(f"{name}:// is {where}" for name, where in SCHEMES.items())
        raise ImproperlyConfigured(f"EMAIL_URL begins with {scheme or 'no scheme'}://, which is not known. {known}.")
    settings: dict[str, Any] = env.dj_email_url("EMAIL_URL")
    if settings["EMAIL_BACKEND"] == SMTP:
        settings["EMAIL_BACKEND"] = OUTBOX
    return settings
