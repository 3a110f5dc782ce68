"""Decide which URLs webhooks may be sent to: https URLs of public addresses only.

The URL is untrusted input, which makes server-side request forgery (SSRF) possible: it may name the cloud's metadata
service, an internal database, or a host whose DNS answer changes between check and connection (DNS rebinding). So each
attempt resolves the host once, requires all of its addresses to be public, and connects to one of these addresses.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from .public_addresses import is_public

SocketAddress = tuple[socket.AddressFamily, tuple[str | int, ...] | tuple[int, bytes]]


class ForbiddenAddressError(Exception):
    """The host resolves to an address that is not public. The text does not disclose the address."""


@dataclass(frozen=True, slots=True)
class ParsedUrl:
    """The parts of a URL. `target` is path and query, as in the request line."""

    is_secure: bool
    host: str
    port: int
    target: str


def parse(url: str) -> ParsedUrl:
    """Parse a URL. Raises ValidationError, with a text for the organiser, if webhooks can't be sent to it."""
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise ValidationError("Use plain ASCII without spaces; write an international host name in Punycode (xn--…).")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValidationError(f"This is not a URL: {error}.") from error
    schemes = ("https", "http") if settings.WEBHOOK_ALLOW_PRIVATE else ("https",)
    if parts.scheme not in schemes:
        raise ValidationError("The URL must begin with https://.")
    if not host or port == 0:
        raise ValidationError("The URL needs a host, and a port other than 0 if any.")
    if "@" in parts.netloc:
        raise ValidationError("The URL must not contain a user name or a password: verify the signature instead.")
    if parts.fragment:
        raise ValidationError("Leave out the # and everything after it: it is never sent.")
    is_secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return ParsedUrl(is_secure, host, port or (443 if is_secure else 80), target)


def validate_url(url: str) -> None:
    """Validate a URL without using the network. Raises ValidationError."""
    host = parse(url).host
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        if host.rstrip(".").rpartition(".")[2] != "localhost":
            return
        address = "127.0.0.1"
    if not settings.WEBHOOK_ALLOW_PRIVATE and not is_public(address):
        raise ValidationError("This address is not a public one, so webhooks are not sent there.")


def resolve(url: ParsedUrl) -> list[SocketAddress]:
    """Resolve the host once. Return all of its addresses, in the order to try them.

    Connect to these addresses only: another look-up may have another result. Raises ForbiddenAddressError if one of
    them is not public, and OSError if there is none. The timeout is the system's, some seconds for each name server.
    """
    found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        for *_, address in found:
            if not is_public(str(address[0])):
                raise ForbiddenAddressError(
                    "The host resolves to an address that is not public, so nothing is sent there."
                )
    return [(family, address) for family, *_, address in found]
