"""Middleware that gives each request an id, and logs and measures it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from . import metrics
from .context import log_context, request_id_from

HEADER: Final = "X-Request-ID"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNLOGGED_ROUTES: Final = frozenset({"healthz", "readyz", "metrics"})  # monitors poll them every few seconds

logger = logging.getLogger("apps.telemetry.middleware")


class RequestMiddleware:
    """Set the request id in the response, the log context and the tasks that are sent; measure and log the request.

    It must come first in MIDDLEWARE, to measure all other middleware and to put the id into every response.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        request_id = request_id_from(request.headers.get(HEADER))
        method = request.method if request.method in METHODS else "other"  # read first, as other middleware may set it
        with log_context(request_id=request_id):
            response = self.get_response(request)
            seconds = time.perf_counter() - began
            route = _route(request)
            metrics.http_request_seconds.labels(method, route, f"{response.status_code // 100}xx").observe(seconds)
            if route not in UNLOGGED_ROUTES:
                # Not the path, which may contain a secret.
                logger.info("%s /%s %d in %.0f ms", method, route, response.status_code, seconds * 1000)
        response[HEADER] = request_id
        return response


def _route(request: HttpRequest) -> str:
    """Return the route of the URLconf that matched, "static" or "unmatched": a label of bounded cardinality."""
    if request.resolver_match is not None:
        return request.resolver_match.route
    return "static" if request.path_info.startswith(f"/{settings.STATIC_URL.strip('/')}/") else "unmatched"
