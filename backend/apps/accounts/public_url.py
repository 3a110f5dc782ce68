"""The address at which people reach the site: PUBLIC_URL, never what a request says of itself in `Host`."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def absolute_url(path: str) -> str:
    """Return the absolute URL of a path of this site."""
    return str(settings.PUBLIC_URL).rstrip("/") + path


def public_host() -> str:
    """Return the host and the port, if it is not the usual one, at which people reach the site."""
    return urlsplit(settings.PUBLIC_URL).netloc


def is_local() -> bool:
    """Return whether only this machine reaches the site."""
    return urlsplit(settings.PUBLIC_URL).hostname in LOCAL_HOSTS
