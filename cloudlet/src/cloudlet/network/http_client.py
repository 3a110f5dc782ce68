"""Open connections only to hosts on an allow-list, and only to addresses that were checked (SSRF).

A name is resolved once and the checked address is connected to, which defeats DNS rebinding. Each request identifies
this process in its Via header, as a proxy does, so that the server recognises requests to itself behind any name,
redirect or port mapping.
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
INSTANCE_ID = f"cloudlet-{secrets.token_hex(8)}"

_Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class HostRefusedError(ValueError):
    """The allow-list does not cover a host. Nothing was sent to it."""


class _ViaConnection(http.client.HTTPConnection):
    """A connection that adds the Via header to each request."""

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        self.putheader("Via", f"1.1 {INSTANCE_ID}")
        super().endheaders(message_body, encode_chunked=encode_chunked)


class _ViaTlsConnection(_ViaConnection, http.client.HTTPSConnection):
    """A TLS connection that adds the Via header to each request."""


def open_connection(url: SplitResult, allowed: Collection[str], timeout: float) -> http.client.HTTPConnection:
    """Connect to the host of an http or https ``url``. Each read and write may take ``timeout`` seconds.

    ``allowed`` contains ``host`` or ``host:port``, which may resolve to any address, or ``*`` for all hosts that only
    have public addresses. Raises HostRefusedError if the host is not allowed, and OSError if it cannot be reached.
    """
    host, port = (url.hostname or "").lower(), _port(url)
    is_listed = host in allowed or f"{host}:{port}" in allowed
    if not is_listed and ANY_PUBLIC_HOST not in allowed:
        raise HostRefusedError(f"host {host} is not allowed")
    addresses = _resolve(host, port)
    if not is_listed and not all(is_public(str(address[0])) for _, address in addresses):
        raise HostRefusedError(f"host {host} is not allowed: it has an address that is not public")
    # The connection needs the name for its Host header. A connected socket keeps it from resolving the name again.
    if url.scheme != "https":
        plain = _ViaConnection(host, port, timeout=timeout)
        plain.sock = _connect(addresses, timeout)
        return plain
    context = ssl.create_default_context()
    secure = _ViaTlsConnection(host, port, timeout=timeout, context=context)
    secure.sock = _connect(addresses, timeout)
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


def _connect(addresses: list[_Address], timeout: float) -> socket.socket:
    """Return a socket that is connected to the first reachable address. Raises the last OSError if there is none."""
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
