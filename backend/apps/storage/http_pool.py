"""The connections that the SDK calls storage through: many at once, each thread's last answer remembered, and quick."""

from __future__ import annotations

import email.utils
import mimetypes
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import urllib3

LONGEST_LIMIT = 24 * 3600.0  # seconds; limits are lifted with the next hour, so whoever says more is wrong
PLAIN = re.compile(r"[A-Za-z0-9_.\[\]-]+")


@dataclass(frozen=True, slots=True)
class Quota:
    """How many Admin API calls are allowed and left in this hour, and when the next one begins."""

    allowed: int
    left: int
    resets_at: datetime


class ObservedPool(urllib3.PoolManager):
    """The SDK's connection pool, wide enough for our threads, that remembers each thread's last answer.

    The SDK's exceptions carry neither the status of every error nor the rate limit's headers. Forms are put together
    by `encoded_form`: urllib3's own way takes 5 % more of the CPU time that a worker spends on a ticket.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.last = threading.local()

    def request(  # the parameters are urllib3's
        self,
        method: str,
        url: str,
        body: Any = None,
        fields: Any = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        **options: Any,
    ) -> urllib3.BaseHTTPResponse:
        self.last.response = None
        form = encoded_form(fields, secrets.token_hex(16)) if method == "POST" and body is None else None
        if form is None:
            response = super().request(method, url, body, fields, headers, json, **options)
        else:
            content, media_type = form
            headers = {**(headers or self.headers), "Content-Type": media_type}
            response = self.urlopen(method, url, body=content, headers=headers, **options)
        self.last.response = response
        return response

    def last_status(self) -> int | None:
        response = getattr(self.last, "response", None)
        return None if response is None else response.status

    def retry_after(self) -> float | None:
        """Seconds until the rate limit is lifted, from `X-FeatureRateLimit-Reset` (an HTTP date), None if unknown.

        By the service's clock, where it tells the time.
        """
        response = getattr(self.last, "response", None)
        moment = None if response is None else _moment(response.headers.get("X-FeatureRateLimit-Reset"))
        if response is None or moment is None:
            return None
        answered = _moment(response.headers.get("Date")) or datetime.now(UTC)
        return min(max(0.0, (moment - answered).total_seconds()), LONGEST_LIMIT)

    def quota(self) -> Quota | None:
        """What the last answer said about the Admin API's quota, None if nothing."""
        headers = self.last.response.headers
        try:
            allowed, left = (int(headers[f"X-FeatureRateLimit-{name}"]) for name in ("Limit", "Remaining"))
        except (KeyError, ValueError):
            return None
        resets_at = _moment(headers.get("X-FeatureRateLimit-Reset"))
        return None if resets_at is None else Quota(allowed, left, resets_at)

    def clock_skew(self) -> float:
        """How many seconds this machine's clock is ahead of the service's, by the last answer's date."""
        date = _moment(self.last.response.headers.get("Date"))
        return 0.0 if date is None else time.time() - date.timestamp()


def _moment(header: str | None) -> datetime | None:
    """The moment that an HTTP date names, None for whatever else a header says: proxies write some, too."""
    try:
        moment = email.utils.parsedate_to_datetime(header or "")
    except (ValueError, TypeError, OverflowError, IndexError):  # as the parser's ways of saying no have been over time
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def encoded_form(fields: object, boundary: str) -> tuple[bytes, str] | None:
    """The fields as `multipart/form-data` (RFC 7578), byte for byte as urllib3 writes it, and its media type.

    `fields` are pairs of a name and a text, bytes, or a file as (name, bytes). None for any others, and for names that
    need quoting: those are urllib3's business.
    """
    if not isinstance(fields, list):
        return None
    parts: list[bytes] = []
    for name, value in fields:
        about, content = "", value
        if isinstance(value, tuple) and len(value) == 2:
            file, content = value
            if not _is_plain(file):
                return None
            about = f'; filename="{file}"\r\nContent-Type: {_media_type(file)}'
        if not _is_plain(name) or not isinstance(content, str | bytes | int):
            return None
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{about}\r\n\r\n'
        parts += (head.encode(), content if isinstance(content, bytes) else str(content).encode(), b"\r\n")
    return b"".join((*parts, f"--{boundary}--\r\n".encode())), f"multipart/form-data; boundary={boundary}"


@lru_cache
def _media_type(file: str) -> str:
    return mimetypes.guess_type(file)[0] or "application/octet-stream"


@lru_cache
def _is_plain(name: object) -> bool:
    """Whether a name stands in a header as it is."""
    return isinstance(name, str) and PLAIN.fullmatch(name) is not None
