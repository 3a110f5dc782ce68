"""Connections that this server opens: only to hosts on an allow-list, and only to addresses that were checked.

A name is resolved once. What is checked is what is connected to, so a name that answers differently the second time
(DNS rebinding) gains nothing. Every request names this process in its Via header, as a proxy's does, so that it knows
itself wherever a name, a redirect or a port mapping leads back to it.
"""

import http.client
import secrets
import socket
import ssl
from collections.abc import Collection
from typing import Any
from urllib.parse import SplitResult

from cloudlet.network.public_addresses import is_public

ANY_PUBLIC_HOST = "*"
OURSELVES = f"cloudlet-{secrets.token_hex(8)}"

_Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class HostRefusedError(ValueError):
    """A host that the allow-list does not cover. Nothing was sent to it."""


class _NamesUs(http.client.HTTPConnection):
    """Adds the Via header to each request."""

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        self.putheader("Via", f"1.1 {OURSELVES}")
        super().endheaders(message_body, encode_chunked=encode_chunked)


class _NamesUsSecurely(_NamesUs, http.client.HTTPSConnection):
    """The same over TLS."""


def open_connection(url: SplitResult, allowed: Collection[str], timeout: float) -> http.client.HTTPConnection:
    """A connection to the host of an http or https ``url``, open; every read and write has ``timeout`` seconds.

    ``allowed`` holds ``host`` or ``host:port``, which may resolve to any address, or ``*``: any host all of whose
    addresses are public. Raises HostRefusedError; OSError when the host has no address or none answers.
    """
    host, port = (url.hostname or "").lower(), _port(url)
    is_listed = host in allowed or f"{host}:{port}" in allowed
    if not is_listed and ANY_PUBLIC_HOST not in allowed:
        raise HostRefusedError(f"host {host} is not allowed")
    addresses = _resolve(host, port)
    if not is_listed and not all(is_public(str(address[0])) for _, address in addresses):
        raise HostRefusedError(f"host {host} is not allowed: it has an address that is not public")
    # The connection object is given the name for its Host header, and an open socket so that it never resolves it.
    if url.scheme != "https":
        plain = _NamesUs(host, port, timeout=timeout)
        plain.sock = _connected(addresses, timeout)
        return plain
    context = ssl.create_default_context()
    secure = _NamesUsSecurely(host, port, timeout=timeout, context=context)
    secure.sock = _connected(addresses, timeout)
    try:
        secure.sock = context.wrap_socket(secure.sock, server_hostname=host)
    except BaseException:
        secure.close()
        raise
    return secure


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _resolve(host: str, port: int) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host[:80]} is no host name") from error
    return [(family, address) for family, _, _, _, address in found]


def _connected(addresses: list[_Address], timeout: float) -> socket.socket:
    """A socket to the first address that answers."""
    refusal: OSError = OSError("the host has no address")
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(address)
        except OSError as error:
            connection.close()
            refusal = error
        else:
            return connection
    raise refusal
