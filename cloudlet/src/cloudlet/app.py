"""Create the ASGI application from its routes, middleware and services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from cloudlet import admin_api, console, delivery, upload_api
from cloudlet.assets import defaults
from cloudlet.config import Settings
from cloudlet.console import fault_control
from cloudlet.console.guard import ConsoleGuard
from cloudlet.delivery import signed_downloads
from cloudlet.errors import ApiError
from cloudlet.faults.middleware import FaultMiddleware
from cloudlet.services import Services
from cloudlet.store import Store
from cloudlet.web.cors import CorsMiddleware
from cloudlet.web.files_only import FilesOnly
from cloudlet.web.middleware import CallMiddleware, error_response
from cloudlet.web.rate_limit import RateLimit
from cloudlet.web.request_log import RequestLog
from cloudlet.web.unknown_routes import unknown_routes


def routes() -> list[BaseRoute]:
    """Return all routes, in the order in which they are matched. Delivery ends with a catch-all."""
    return [
        *upload_api.routes,
        *admin_api.routes,
        *fault_control.routes,
        *signed_downloads.routes,
        *console.routes,
        *unknown_routes,
        *delivery.routes,
    ]


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return error_response(ApiError(error.status_code, error.detail), request.url.path)


def create_app(settings: Settings) -> Starlette:
    """Return the ASGI application for ``settings.data``. It opens the store, and closes it at shutdown.

    Raises ConfigError if another process uses the data folder.
    """
    services = Services(settings, Store(settings.data), RequestLog(), RateLimit(settings.rate_limit))
    defaults.ensure(services.store)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        services.webhooks.bind(asyncio.get_running_loop())
        yield
        await services.webhooks.drain()
        services.store.close()

    app = Starlette(
        routes=routes(),
        lifespan=lifespan,
        middleware=[
            Middleware(CorsMiddleware),
            Middleware(CallMiddleware, calls=services.calls),
            Middleware(FilesOnly, tls=settings.tls),
            Middleware(ConsoleGuard, settings=settings),
            Middleware(FaultMiddleware, plan=services.faults),
        ],
        exception_handlers={HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    app.state.services = services
    return app
