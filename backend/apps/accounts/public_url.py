"""The public URL of the site, from PUBLIC_URL. The `Host` header is never used, because clients can forge it."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def absolute_url(path: str) -> str:
    """Return the absolute URL of a path of this site."""
    return str(settings.PUBLIC_URL).rstrip("/") + path


def public_host() -> str:
    """Return the host of PUBLIC_URL, with the port if the URL has one."""
    return urlsplit(settings.PUBLIC_URL).netloc


def is_local() -> bool:
    """Return whether PUBLIC_URL is an address of this machine, so that others can't reach the site."""
    return urlsplit(settings.PUBLIC_URL).hostname in LOCAL_HOSTS
