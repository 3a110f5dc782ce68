"""The page at `/` and its static files. They need no build step and load nothing from other hosts."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from cloudlet.errors import not_found

_STATIC = files("cloudlet.console") / "static"
_TYPES = {"index.html": "text/html", "console.css": "text/css", "icon.svg": "image/svg+xml"}
_SCRIPTS = ("console.js", "assets.js", "calls.js", "dom.js")
_TYPES |= dict.fromkeys(_SCRIPTS, "text/javascript")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def _file(name: str) -> Response:
    return Response((_STATIC / name).read_bytes(), headers=_HEADERS, media_type=_TYPES[name])


async def index(request: Request) -> Response:
    return _file("index.html")


async def static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _TYPES:
        raise not_found("Not found")
    return _file(name)
