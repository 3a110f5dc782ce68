"""Common code of all endpoints of the Upload API: read the body, check the signature, respond with JSON."""

import dataclasses
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cloudlet.api_call import ApiCall, route
from cloudlet.assets.delivery_urls import base_url
from cloudlet.assets.service import AssetService
from cloudlet.config import Settings
from cloudlet.errors import not_found
from cloudlet.model import Json
from cloudlet.pictures import CpuBudget
from cloudlet.services import services_of
from cloudlet.web.auth import authenticate_basic, check_cloud, require_signature
from cloudlet.web.forms import Form, read_form
from cloudlet.web.paths import UPLOAD_RESOURCE_TYPES


@dataclasses.dataclass(slots=True, kw_only=True)
class UploadCall(ApiCall):
    """One call of the Upload API. An ``unsigned`` call has an upload preset instead of a signature."""

    request: Request
    form: Form
    resource_type: str
    unsigned: bool = False
    budget: CpuBudget = dataclasses.field(default_factory=CpuBudget)

    @property
    def assets(self) -> AssetService:
        return AssetService(
            store=self.store, renderer=self.services.renderer, webhooks=self.services.webhooks,
            presenter=self.presenter, params=self.params, budget=self.budget,
        )  # fmt: skip


Handler = Callable[[UploadCall], Awaitable[Json]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Rules:
    """How an endpoint authenticates. With ``accepts_expires_at``, that parameter replaces the limit of an hour."""

    allows_unsigned: bool
    notifications_optional: bool
    accepts_expires_at: bool


def endpoint(
    path: str,
    handler: Handler,
    *,
    allows_unsigned: bool = False,
    notifications_optional: bool = False,
    accepts_expires_at: bool = False,
    methods: tuple[str, ...] = ("POST",),
) -> list[Route]:
    """Return the routes ``/v1_1/{cloud}/[{resource_type}/]path``, which respond with what ``handler`` returns."""
    rules = _Rules(allows_unsigned, notifications_optional, accepts_expires_at)
    paths = (path, f"{{resource_type}}/{path}")
    return [route(each, _serve, handler, methods, rules=rules) for each in paths]


async def _serve(request: Request, *, handler: Handler, rules: _Rules) -> Response:
    services = services_of(request)
    check_cloud(request, services.settings)
    resource_type = request.path_params.get("resource_type", "image")
    if resource_type not in UPLOAD_RESOURCE_TYPES:
        raise not_found(f"Invalid resource type {resource_type}")
    form = await read_form(request, services.store.stage, services.settings.max_upload_bytes)
    try:
        params = form.params
        has_password = _is_authenticated_by_password(request, services.settings)
        unsigned = rules.allows_unsigned and "signature" not in params and not has_password
        if not unsigned and not has_password:
            require_signature(
                params,
                services.settings,
                notifications_optional=rules.notifications_optional,
                check_age=not (rules.accepts_expires_at and "expires_at" in params),
            )
        call = UploadCall(
            services=services, params=params, base=base_url(request, services.settings),
            request=request, form=form, resource_type=resource_type, unsigned=unsigned,
        )  # fmt: skip
        answer = await handler(call)
    finally:
        form.discard()
    return answer if isinstance(answer, Response) else JSONResponse(answer)


def _is_authenticated_by_password(request: Request, settings: Settings) -> bool:
    """Return whether a program sent key and secret. Raises ApiError 401 if they are wrong.

    Credentials in the request of a web page are ignored, because the browser adds the credentials of the console by
    itself (CSRF).
    """
    return "origin" not in request.headers and authenticate_basic(request, settings)
