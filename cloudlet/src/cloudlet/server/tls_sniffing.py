"""Serve https and http on one port, because responses contain both: ``url`` is http and ``secure_url`` is https.

The first byte of a connection tells them apart. Over http only files are delivered, since API calls contain secrets.
"""

import asyncio
import functools
import socket
import ssl
from pathlib import Path
from typing import Any

from cloudlet.server.http_protocol import Protocol

_TLS_HANDSHAKE = b"\x16"
_FIRST_BYTE_TIMEOUT_SECONDS = 60


def tls_sniffing_protocol(certificate: Path, key: Path) -> type[asyncio.Protocol]:
    """Return a class for uvicorn's ``http`` option, which serves each connection with or without TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    tasks: set[asyncio.Task[None]] = set()  # the event loop only keeps weak references

    class TlsSniffingProtocol(asyncio.Protocol):
        def __init__(self, **arguments: Any) -> None:
            self._make_protocol = functools.partial(Protocol, **arguments)

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Take the socket from uvicorn's transport before it reads, because it could not give bytes back."""
            accepted = transport.get_extra_info("socket")
            try:
                connection = socket.fromfd(accepted.fileno(), accepted.family, accepted.type)
            finally:
                transport.abort()
            task = asyncio.create_task(_serve(connection, context, self._make_protocol))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return TlsSniffingProtocol


async def _serve(
    connection: socket.socket, context: ssl.SSLContext, make_protocol: "functools.partial[Protocol]"
) -> None:
    connection.setblocking(False)
    try:
        async with asyncio.timeout(_FIRST_BYTE_TIMEOUT_SECONDS):
            is_tls = await _first_byte(connection) == _TLS_HANDSHAKE
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(make_protocol, connection, ssl=context if is_tls else None)
    except OSError:  # disconnect, timeout or failed handshake
        connection.close()
    except asyncio.CancelledError:
        connection.close()
        raise


async def _first_byte(connection: socket.socket) -> bytes:
    """Return the first byte without consuming it, or b"" if the client has disconnected."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)
