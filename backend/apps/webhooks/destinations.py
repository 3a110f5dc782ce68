"""Where webhooks may go: over https to public addresses, and nowhere that only this network can reach.

An organiser types the URL, so it is hostile input: it may name the metadata service of the cloud, the database next
door, or a host whose DNS answers differently when asked twice. So a host is resolved once for each attempt, every
address that it has must be public, and the connection goes to one of those very addresses.
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

Resolved = tuple[socket.AddressFamily, tuple[str | int, ...] | tuple[int, bytes]]


class RefusedError(Exception):
    """Nothing is sent there; the text says why, and names no address that the host resolved to."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart. `target` is path and query, as they stand in the request's first line."""

    is_secure: bool
    host: str
    port: int
    target: str


def parse(url: str) -> Destination:
    """Raises ValidationError, with a text for whoever typed the URL."""
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
        raise ValidationError("The URL must not carry a user name or a password: verify the signature instead.")
    if parts.fragment:
        raise ValidationError("Leave out what follows the #: it is never sent.")
    is_secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(is_secure, host, port or (443 if is_secure else 80), target)


def validate_url(url: str) -> None:
    """What can be said of a URL without asking the network. Raises ValidationError."""
    host = parse(url).host
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        if host.rstrip(".").rpartition(".")[2] != "localhost":
            return
        address = "127.0.0.1"
    if not settings.WEBHOOK_ALLOW_PRIVATE and not is_public(address):
        raise ValidationError("This address is not a public one, so webhooks are not sent there.")


def resolve(destination: Destination) -> list[Resolved]:
    """Every address of the host, asked for once: what to connect to, and nothing else. In the order to try them.

    Raises RefusedError where one of them is not public, and OSError where there is none. The wait is the system's
    own, of some seconds for each name server.
    """
    found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        for *_, address in found:
            if not is_public(str(address[0])):
                raise RefusedError("The host resolves to an address that is not public, so nothing is sent there.")
    return [(family, address) for family, *_, address in found]
