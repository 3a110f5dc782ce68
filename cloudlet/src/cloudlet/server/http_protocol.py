"""A thin layer under the application: what ASGI itself does not offer."""

import asyncio

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "cloudlet_transport"


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with the connection's transport within reach of the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


async def abort_connection(scope: Scope) -> None:
    """Cuts the connection without an answer, as a network fault would."""
    transport: asyncio.Transport = scope["state"][_TRANSPORT]
    transport.abort()
    while not transport.is_closing():
        await asyncio.sleep(0)
    # One more turn of the loop lets uvicorn notice that the client is gone.
    await asyncio.sleep(0.001)
