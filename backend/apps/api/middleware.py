"""Give every response under /api/ the same error shape, HTTP methods and headers, even if no view was reached."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import is_valid_path
from django.utils.cache import patch_vary_headers

from .authentication import TOKEN_HEADER
from .errors import error_response

PREFIX = "/api/"
JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"
# Swagger UI styles its elements inline and draws its icons from data: URLs.
DOCUMENTATION_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class ApiMiddleware:
    """First in MIDDLEWARE, so that it also sees the responses of other middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        method = request.method
        if method == "HEAD":
            request.method = "GET"
        _append_missing_slash(request)
        response = self.get_response(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED and "Allow" in response:
            response = _replaced(response, _method_response(method, response["Allow"]))
        elif response.status_code >= HTTPStatus.BAD_REQUEST and not _is_json(response):
            response = _replaced(response, error_response(response.status_code))
        _add_headers(response)
        if method == "HEAD" and isinstance(response, HttpResponse):
            response["Content-Length"] = str(len(response.content))
            response.content = b""
        return response


def _append_missing_slash(request: HttpRequest) -> None:
    """Serve `.../admit` as `.../admit/`: a redirect would turn a POST into a GET."""
    if not is_valid_path(request.path_info) and is_valid_path(request.path_info + "/"):
        request.path_info += "/"


def _method_response(requested: str | None, allowed: str) -> HttpResponse:
    """Return the response to OPTIONS, or 405 for any other method. Both list the allowed methods."""
    methods = {method.strip() for method in allowed.split(",")} | {"OPTIONS"}
    if "GET" in methods:
        methods.add("HEAD")
    headers = {"Allow": ", ".join(sorted(methods))}
    if requested == "OPTIONS":
        response = HttpResponse(status=HTTPStatus.NO_CONTENT, headers=headers)
        del response["Content-Type"]
        return response
    return error_response(HTTPStatus.METHOD_NOT_ALLOWED, headers=headers)


def _replaced(response: HttpResponseBase, replacement: HttpResponse) -> HttpResponse:
    """Return the replacement with the cookies and headers that other middleware has set on the response."""
    for name, value in response.items():
        if name.lower() not in ("content-length", "content-type"):
            replacement.headers.setdefault(name, value)
    replacement.cookies = response.cookies
    return replacement


def _is_json(response: HttpResponseBase) -> bool:
    return response.get("Content-Type", "").startswith("application/json")


def _add_headers(response: HttpResponseBase) -> None:
    is_page = response.get("Content-Type", "").startswith("text/html")
    response["Content-Security-Policy"] = DOCUMENTATION_POLICY if is_page else JSON_POLICY
    if not response.has_header("Cache-Control"):
        response["Cache-Control"] = "private, no-store"
    if "public" in response["Cache-Control"]:
        response.headers.pop("Vary", None)  # the same for every user and language
    else:
        patch_vary_headers(response, ("Cookie", TOKEN_HEADER))
