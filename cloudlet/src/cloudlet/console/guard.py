"""Who may use what is not Cloudinary's: people at this machine's browser, not the web pages that are open in it."""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudlet.config import Settings, is_loopback
from cloudlet.errors import ApiError, bad_request, forbidden
from cloudlet.web.auth import authenticate_basic, is_from_another_origin
from cloudlet.web.paths import CONSOLE_PREFIX, OWN_PREFIX

MARKER = "X-Cloudlet-Console"
"""A header that a page of another origin can't send without a CORS preflight, which is never granted."""
INDEX = "/"


class ConsoleGuard:
    """ASGI layer before the console and everything else under ``/_cloudlet/``, whatever its endpoints do.

    Refuses a strange Host (DNS rebinding), requests that the pages of other origins cause, and, where the server
    listens for more than this machine, those without API key and secret.
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
        # A link to the console on another page is followed; its page can't be framed and holds no data.
        is_link = request.url.path == INDEX and request.headers.get("sec-fetch-mode") == "navigate"
        if is_from_another_origin(request) and not is_link:
            raise forbidden("The console does not answer to the pages of other sites")
        if is_loopback(self._settings.host):
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
            if not (is_loopback(host) or host == self._settings.host):
                raise bad_request("The console answers to localhost and 127.0.0.1 only")
        elif not authenticate_basic(request, self._settings, from_any_page=is_link):
            raise ApiError(401, "Sign in with API key and secret", {"WWW-Authenticate": 'Basic realm="cloudlet"'})
        is_change = request.method not in ("GET", "HEAD") and request.url.path.startswith(CONSOLE_PREFIX)
        if is_change and MARKER not in request.headers:
            raise bad_request(f"Changes by the console need the header {MARKER}")
