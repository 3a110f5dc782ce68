"""Assemble the API and complete its OpenAPI document."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI, Swagger
from ninja.openapi.docs import ABS_TPL_PATH
from ninja.openapi.schema import OpenAPISchema, get_schema

from . import checkin, tickets, wallets
from .authentication import SessionCookie, SessionToken
from .errors import STANDARD, install_error_handlers

VERSION = "1"
DESCRIPTION = """\
Tickets for holders' apps, for organisers and for check-in.

**Signing in.** Apps sign in under [`/_allauth/app/v1/`](/_allauth/openapi.json) and send the session token from the
response in the `X-Session-Token` header. Pages of this site use the session cookie, and send `X-CSRFToken` with every
POST.

**Errors** all have the same shape: `{"error": {"code", "message", "details"}}`. `code` is stable and meant for
programs, `message` is meant for people.

**Times** are ISO 8601. An event's times carry the offset of its time zone. All other times are in UTC.
"""


class LocalSwagger(Swagger):
    """Swagger UI with this site's own static files. Ninja takes it from a CDN if ninja is not in INSTALLED_APPS."""

    template_cdn = str(ABS_TPL_PATH / "swagger.html")


class AdmitAPI(NinjaAPI):
    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the document. All callers get the same object, so don't change it."""
        return _document(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)


@lru_cache(maxsize=8)  # anyone may request the document, and Ninja takes a tenth of a second to assemble it
def _document(api: AdmitAPI, path_prefix: str) -> OpenAPISchema:
    schema = get_schema(api, path_prefix)
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"] = _completed(operation["responses"])
    return schema


def _completed(responses: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return the responses sorted by status, with the standard code and message as the example of each error."""
    completed: dict[str, Any] = {}
    for status in sorted({*responses, 500}):
        response = responses.get(status) or {"content": {"application/json": {"schema": _ERROR_SCHEMA}}}
        if status in STANDARD:
            code, message = STANDARD[status]
            response["description"] = message
            details = [_DETAIL_EXAMPLE] if status == HTTPStatus.UNPROCESSABLE_ENTITY else []
            for content in response.get("content", {}).values():
                content["example"] = {"error": {"code": code, "message": message, "details": details}}
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
        completed[str(status)] = response
    return completed


_ERROR_SCHEMA = {"$ref": "#/components/schemas/ErrorOut"}
_DETAIL_EXAMPLE = {"field": "query.limit", "message": "Input should be less than or equal to 100"}

api = AdmitAPI(
    title="Admit",
    version=VERSION,
    description=DESCRIPTION,
    docs=LocalSwagger(),
    urls_namespace="api",
    auth=[SessionToken(), SessionCookie()],
)
install_error_handlers(api)
api.add_router("/events/", tickets.router)
api.add_router("/events/", wallets.router)
api.add_router("/events/", checkin.router)
