"""Every request has an id, which its answer, its log lines and the tasks it sends carry, and its time is taken."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from . import metrics
from .context import about, request_id_from

HEADER: Final = "X-Request-ID"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MONITORS: Final = frozenset({"healthz", "readyz", "metrics"})  # they ask so often that their lines would be the log

logger = logging.getLogger("apps.telemetry.middleware")


class RequestMiddleware:
    """Stands first in MIDDLEWARE: what it measures is all that Django does, and no answer goes out without the id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        request_id = request_id_from(request.headers.get(HEADER))
        method = request.method if request.method in METHODS else "other"  # before others change it
        with about(request_id=request_id):
            response = self.get_response(request)
            seconds = time.perf_counter() - began
            route = _route(request)
            metrics.http_request_seconds.labels(method, route, f"{response.status_code // 100}xx").observe(seconds)
            if route not in MONITORS:
                # The route and not the address, which may hold a secret.
                logger.info("%s /%s %d in %.0f ms", method, route, response.status_code, seconds * 1000)
        response[HEADER] = request_id
        return response


def _route(request: HttpRequest) -> str:
    """The address as the URLconf spells it, so that there are as many as routes, whatever is asked for."""
    if request.resolver_match is not None:
        return request.resolver_match.route
    return "static" if request.path_info.startswith(f"/{settings.STATIC_URL.strip('/')}/") else "unmatched"
