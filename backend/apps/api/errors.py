"""Errors of the API: their shape, their standard messages, and the handlers that turn exceptions into responses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja import Field, NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.responses import Response

from apps.events.issuing import TicketError

logger = logging.getLogger("apps.events.api.errors")


class ErrorDetail(Schema):
    """A problem with one field of the request."""

    field: str = Field(
        description="`path`, `query` or `body`, followed by a dot and the name.", examples=["query.limit"]
    )
    message: str = Field(description="The problem.", examples=["Input should be less than or equal to 100"])


class Error(Schema):
    code: str = Field(description="For programs. The meaning of a code never changes.", examples=["invalid"])
    message: str = Field(description="For people: what happened and what to do.")
    details: list[ErrorDetail] = Field(description="With `invalid`: every invalid field. Empty with all other codes.")


class ErrorOut(Schema):
    """The body of every response with a status of 400 or above."""

    error: Error


# The default code and message of each status.
STANDARD: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request can't be parsed. Check that its body is valid JSON."),
    401: ("not_signed_in", "Sign in first: send X-Session-Token, or the cookie of a signed-in browser."),
    403: ("forbidden", "You don't have permission to do this."),
    404: ("not_found", "This does not exist, or you don't have access to it."),
    405: ("method_not_allowed", "This URL does not support this method. The Allow header lists those it supports."),
    409: ("conflict", "The state of the ticket does not allow this."),
    413: ("too_large", "The request is too large."),
    422: ("invalid", "Parts of the request are invalid; see details."),
    429: ("too_many_requests", "Too many requests. Try again after the seconds in the Retry-After header."),
    500: ("internal_error", "Something went wrong on our side. The error was logged. Try again later."),
    503: ("unavailable", "The service is unavailable. Try again later."),
}


class ApiError(Exception):
    """An error response. `code` and `message` default to those of the status in `STANDARD`."""

    def __init__(self, status: int, message: str = "", *, code: str = "") -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(status, message)


def error_response(
    status: int,
    message: str = "",
    *,
    code: str = "",
    details: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return an error in the shape of `ErrorOut`. `code` and `message` default to those of the status in `STANDARD`."""
    standard_code, standard_message = STANDARD.get(status, ("error", HTTPStatus(status).phrase))
    error = {"code": code or standard_code, "message": message or standard_message, "details": details or []}
    response = Response({"error": error}, status=status, headers=headers)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'X-Session-Token realm="Admit"'
    return response


def declared(*statuses: int) -> dict[int, type[ErrorOut]]:
    """Return the entries of these error statuses for the `response=` argument of an operation."""
    return dict.fromkeys(statuses, ErrorOut)


def install_error_handlers(api: NinjaAPI) -> None:
    handlers: dict[type[Exception], Any] = {
        ApiError: lambda request, error: error_response(error.status, error.message, code=error.code),
        AuthenticationError: lambda request, error: error_response(401),
        HttpError: lambda request, error: error_response(error.status_code),
        PermissionDenied: lambda request, error: error_response(403, str(error)),
        Http404: lambda request, error: error_response(404),
        ValidationError: _invalid,
        TicketError: lambda request, error: error_response(409, str(error)),
        RequestDataTooBig: lambda request, error: error_response(413),
        SuspiciousOperation: lambda request, error: error_response(400),
        UnreadablePostError: lambda request, error: error_response(400),
        Exception: _internal_error,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    details = [
        {"field": _field(problem["loc"]), "message": problem["msg"].removeprefix("Value error, ")}
        for problem in error.errors
    ]
    return error_response(422, details=details)


def _field(location: tuple[str | int, ...]) -> str:
    """Return a location of pydantic's for clients, without the name of the view's parameter.

    `("body", "payload", "reissue")` becomes `body.reissue`.
    """
    source, *rest = location
    if source == "body":
        rest = rest[1:]
    return ".".join(str(part) for part in (source, *rest))


def _internal_error(request: HttpRequest, error: Exception) -> HttpResponse:
    """Log the exception and send Django's signal for error trackers. The response reveals no details."""
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    got_request_exception.send(sender=NinjaAPI, request=request)
    return error_response(500)
