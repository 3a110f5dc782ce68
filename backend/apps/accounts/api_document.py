"""Serve the OpenAPI documents of sign-in from memory.

allauth parses its YAML file of 3,700 lines for each request, which takes a second, and anyone may send such requests.
"""

from __future__ import annotations

from functools import cache

from allauth.headless.spec.views import OpenAPIJSONView, OpenAPIYAMLView
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

VIEWS = {"openapi.json": OpenAPIJSONView, "openapi.yaml": OpenAPIYAMLView}


@require_safe
def api_document(request: HttpRequest, name: str) -> HttpResponse:
    content, headers = _document(name)
    return HttpResponse(content, headers=headers)


@cache
def _document(name: str) -> tuple[bytes, dict[str, str]]:
    """Return the content and the headers of allauth's response, which depends on settings alone."""
    answer = VIEWS[name]().get(HttpRequest())
    return answer.content, dict(answer.items())
