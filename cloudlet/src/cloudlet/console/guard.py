"""Restrict the console and the control endpoints to the users of this machine, and keep web pages out."""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudlet.config import Settings, is_loopback
from cloudlet.errors import ApiError, bad_request, forbidden
from cloudlet.web.auth import authenticate_basic, is_cross_origin
from cloudlet.web.paths import CONSOLE_PREFIX, OWN_PREFIX

MARKER = "X-Cloudlet-Console"
"""A header that a page of another origin cannot send without a CORS preflight, which is never allowed (CSRF)."""
INDEX = "/"


class ConsoleGuard:
    """ASGI middleware before the console and everything else under ``/_cloudlet/``.

    It refuses unknown hosts (DNS rebinding) and cross-origin requests. On an address other than loopback, it also
    requires API key and secret.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (scope["path"] == INDEX or scope["path"].startswith(OWN_PREFIX)):
            await self._app(scope, receive, send)
            return
        self._check(Request(scope))

        async def send_closed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, send_closed)

    def _check(self, request: Request) -> None:
        # A link to the console from another page is allowed: the console cannot be framed and its page has no data.
        is_link = request.url.path == INDEX and request.headers.get("sec-fetch-mode") == "navigate"
        if is_cross_origin(request) and not is_link:
            raise forbidden("The console does not answer to the pages of other sites")
        if is_loopback(self._settings.host):
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
            if not (is_loopback(host) or host == self._settings.host):
                raise bad_request("The console answers to localhost and 127.0.0.1 only")
        elif not authenticate_basic(request, self._settings, allow_cross_origin=is_link):
            raise ApiError(401, "Sign in with API key and secret", {"WWW-Authenticate": 'Basic realm="cloudlet"'})
        is_change = request.method not in ("GET", "HEAD") and request.url.path.startswith(CONSOLE_PREFIX)
        if is_change and MARKER not in request.headers:
            raise bad_request(f"Changes by the console need the header {MARKER}")
