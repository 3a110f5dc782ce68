"""Puts the API together, and completes the OpenAPI document that describes it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from . import door, tickets, wallets
from .authentication import SessionCookie, SessionToken
from .errors import STANDARD, install_error_handlers

VERSION = "1"
DESCRIPTION = """\
Tickets for their holders' apps, for organisers and for the door.

**Signing in.** Apps sign in under [`/_allauth/app/v1/`](/_allauth/openapi.json) and send the session token they get
as `X-Session-Token`. Pages of this site use their session cookie, and `X-CSRFToken` with every POST.

**Errors** all have the same shape: `{"error": {"code", "message", "details"}}`. `code` is for programs and stable,
`message` is for people.

**Times** are ISO 8601. An event's own times carry its time zone's offset, all others are in UTC.
"""


class AdmitAPI(NinjaAPI):
    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**options)
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"] = _completed(operation["responses"])
        return schema


def _completed(responses: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The responses in order, those that are errors with the code and the text that stand for the status."""
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
    urls_namespace="api",
    auth=[SessionToken(), SessionCookie()],
)
install_error_handlers(api)
api.add_router("/events/", tickets.router)
api.add_router("/events/", wallets.router)
api.add_router("/events/", door.router)
