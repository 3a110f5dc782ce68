"""CORS: pages of any origin may upload and read files, as with Cloudinary, but not call other APIs.

A signature or a preset protects the upload. A page sends what its own backend signed, and no credentials.
"""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudlet.web.paths import is_delivery, upload_action

_UPLOAD = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Cld-Error,X-Request-Id",
}
_UPLOAD_PREFLIGHT = {
    **_UPLOAD,
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
    # Cloudinary's list, without Authorization, since a page must not contain API key and secret.
    "Access-Control-Allow-Headers": (
        "Cache-Control, Content-Disposition, Content-MD5, Content-Range, Content-Type, DPR, Range, Viewport-Width, "
        "X-CSRF-Token, X-Prototype-Version, X-Requested-With, X-Unique-Upload-Id"
    ),
    "Access-Control-Max-Age": "86400",
}
_DELIVERY = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length,Content-Range,ETag,X-Cld-Error,X-Request-Id",
    "Timing-Allow-Origin": "*",
}
_DELIVERY_PREFLIGHT = {**_DELIVERY, "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS"}


class CorsMiddleware:
    """Middleware that answers preflights, and lets pages of other origins read responses.

    Readable are the responses of the Upload API and of delivery, including errors.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif upload_action(scope["path"]) is not None:
            await self._serve(scope, receive, send, _UPLOAD, _UPLOAD_PREFLIGHT)
        elif is_delivery(scope["path"]):
            await self._serve(scope, receive, send, _DELIVERY, _DELIVERY_PREFLIGHT)
        else:
            await self._app(scope, receive, send)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str], preflight: Mapping[str, str]
    ) -> None:
        if scope["method"] == "OPTIONS":
            await Response(None, 200, preflight)(scope, receive, send)
            return

        async def send_readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_readable)
