"""One port for https and http, as delivery has both: the ``url`` of an answer is http, its ``secure_url`` https.

The first byte of a connection tells which it is. Over http only files are handed out; API calls carry secrets.
"""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Any

import uvicorn

_TLS_HANDSHAKE = b"\x16"
_PATIENCE_S = 60  # for the first byte of a connection
_BREATH_S = 0.1  # when no more connections can be opened

log = logging.getLogger("cloudlet")


class TlsSniffingServer(uvicorn.Server):
    """uvicorn, but connections are accepted here, looked at, and then given to its protocol with or without TLS."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        self._listener.setblocking(False)
        self._start(self._accept())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._tasks:
            task.cancel()
        await super().shutdown(sockets=[])

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("a connection could not be accepted: %s", error)
                await asyncio.sleep(_BREATH_S)
            else:
                self._start(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                first = await _first_byte(connection)
            context = self.config.ssl if first == _TLS_HANDSHAKE else None
            await loop.connect_accepted_socket(self._protocol, connection, ssl=context)
        except (OSError, TimeoutError):  # gone, silent, or a handshake that failed
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


async def _first_byte(connection: socket.socket) -> bytes:
    """The first byte, which stays to be read; empty when the other side hung up."""
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    while True:
        try:
            return connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            readable = asyncio.Event()
            loop.add_reader(connection, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(connection)
