"""Middleware that drops malformed cookies."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase


class CookieMiddleware:
    """Drop cookies that contain a backslash. No browser sends one.

    This prevents a denial of service: Python before 3.11.10 takes quadratic time to unquote such cookies
    (CVE-2024-7592), 38 seconds for a header of 60 kB.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        header = request.META.get("HTTP_COOKIE", "")
        if "\\" in header:
            request.META["HTTP_COOKIE"] = ";".join(part for part in header.split(";") if "\\" not in part)
        return self.get_response(request)
