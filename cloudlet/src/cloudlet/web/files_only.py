"""Requests that may read files and nothing else: those over plain http beside TLS, and those that this server makes."""

from starlette.types import ASGIApp, Receive, Scope, Send

from cloudlet.errors import forbidden
from cloudlet.network.http_client import OURSELVES
from cloudlet.web.paths import is_delivery

_VIA = b"via"
_OURSELVES = OURSELVES.encode()


class FilesOnly:
    """ASGI layer: 403 for a call that such a request makes.

    API calls carry secrets, which plain http shows to everybody on the way (``tls``: https is to be had). And a server
    that is made to ask itself, by whatever name, address, redirect or port mapping, must not open to a stranger what
    is open to this machine.
    """

    def __init__(self, app: ASGIApp, tls: bool) -> None:
        self._app = app
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_delivery(scope["path"]):
            if self._tls and scope["scheme"] == "http":
                raise forbidden("This server has TLS: over http it delivers files, and everything else over https")
            if any(name == _VIA and _OURSELVES in value for name, value in scope["headers"]):
                raise forbidden("Of its own addresses, cloudlet asks for delivered files only")
        await self._app(scope, receive, send)
