"""Refuse API calls that do not exist. Otherwise they would be treated as deliveries of files."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from cloudlet.errors import ApiError, not_found
from cloudlet.web.paths import API_PREFIXES

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


async def _refuse(request: Request) -> Response:
    """Raise ApiError 405 if another method is allowed, else 404."""
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.path.startswith(API_PREFIXES)]
    matching = [route for route in routes if route.matches(request.scope)[0] is Match.PARTIAL]
    allowed = sorted({method for route in matching for method in route.methods or ()})
    if allowed:
        methods = ", ".join(allowed)
        message = f"{request.method} is not allowed for {request.url.path}: use {methods}"
        raise ApiError(405, message, {"Allow": methods})
    raise not_found(f"No such route: {request.method} {request.url.path}")


unknown_routes: list[BaseRoute] = [
    Route(f"{prefix}{{path:path}}", _refuse, methods=_METHODS) for prefix in API_PREFIXES
]
