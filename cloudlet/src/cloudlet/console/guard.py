"""Who may use the console: people at this machine's browser, not the web pages that are open in it."""

from urllib.parse import urlsplit

from starlette.requests import Request

from cloudlet.auth import authenticate_basic
from cloudlet.config import is_loopback
from cloudlet.errors import ApiError, bad_request
from cloudlet.services import services_of

MARKER = "X-Cloudlet-Console"
"""A header that a page of another origin can't send without a CORS preflight, which is never granted."""


def check(request: Request, *, changes: bool = False) -> None:
    """Raises ApiError 400 for a strange Host (DNS rebinding) or a request forged by another page, 401 without a
    password where the server listens for more than this machine."""
    settings = services_of(request).settings
    if not is_loopback(settings.host):
        if not authenticate_basic(request, settings):
            raise ApiError(401, "Sign in with API key and secret", {"WWW-Authenticate": 'Basic realm="cloudlet"'})
    elif not is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname or ""):
        raise bad_request("The console answers to localhost and 127.0.0.1 only")
    if changes and MARKER not in request.headers:
        raise bad_request(f"Changes by the console need the header {MARKER}")
