"""Common code of all endpoints of the Admin API: Basic authentication, rate limit, response in JSON."""

import dataclasses
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cloudlet.api_call import ApiCall, route
from cloudlet.assets.delivery_urls import base_url
from cloudlet.model import Json
from cloudlet.services import services_of
from cloudlet.web.auth import require_admin
from cloudlet.web.forms import read_form


@dataclasses.dataclass(slots=True, kw_only=True)
class AdminCall(ApiCall):
    """One call of the Admin API. ``path`` has the parameters of the URL's path."""

    path: dict[str, str]


Handler = Callable[[AdminCall], Json]


def endpoint(method: str, path: str, handler: Handler) -> Route:
    """Return the route ``/v1_1/{cloud}/path``. It runs ``handler`` on a worker thread."""
    return route(path, _serve, handler, [method])


async def _serve(request: Request, *, handler: Handler) -> Response:
    services = services_of(request)
    require_admin(request, services.settings)
    limits = services.rate_limit.spend()
    form = await read_form(request, services.store.stage, services.settings.max_upload_bytes)
    try:
        base = base_url(request, services.settings)
        call = AdminCall(services=services, params=form.params, base=base, path=request.path_params)
        answer = await run_in_threadpool(handler, call)
    finally:
        form.discard()
    return JSONResponse(answer, headers=limits)
