"""Give the application access to the transport of a connection, which ASGI does not offer."""

import asyncio

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "cloudlet_transport"


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also passes the transport of the connection to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


async def abort_connection(scope: Scope) -> None:
    """Drop the connection without a response, as a network fault would."""
    transport: asyncio.Transport = scope["state"][_TRANSPORT]
    transport.abort()
    while not transport.is_closing():
        await asyncio.sleep(0)
    # uvicorn needs one more iteration of the event loop to notice the disconnect.
    await asyncio.sleep(0.001)
