"""Restrict requests over plain http beside TLS, and requests of this server to itself, to the delivery of files."""

from starlette.types import ASGIApp, Receive, Scope, Send

from cloudlet.errors import forbidden
from cloudlet.network.http_client import INSTANCE_ID
from cloudlet.web.paths import is_delivery

_VIA = b"via"
_INSTANCE_ID = INSTANCE_ID.encode()


class FilesOnly:
    """ASGI middleware that raises ApiError 403 if such a request calls an API.

    API calls contain secrets, which plain http would expose, so with ``tls`` they must use https. A server that fetches
    a URL of its own, under any name, redirect or port mapping, must not give its loopback privileges away (SSRF).
    """

    def __init__(self, app: ASGIApp, tls: bool) -> None:
        self._app = app
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_delivery(scope["path"]):
            if self._tls and scope["scheme"] == "http":
                raise forbidden("This server has TLS: over http it delivers files, and everything else over https")
            if any(name == _VIA and _INSTANCE_ID in value for name, value in scope["headers"]):
                raise forbidden("Of its own addresses, cloudlet asks for delivered files only")
        await self._app(scope, receive, send)
