"""Show a page of this site between a form and a redirect to another site.

Browsers apply `form-action` of the content security policy to every redirect after a form: a holder who signed in to
fetch a PDF stayed on the sign-in page, because the PDF's page redirects to storage.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve

LEADING_ELSEWHERE = {"ticket_pdf", "ticket_google_wallet", "api:google_wallet"}  # by their names as routes


class OnwardMiddleware:
    """Replace a redirect after a form that would end on another site by a page that leads there.

    To allow those sites in the policy would let every form send there whatever is injected into it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method != "POST" or not isinstance(response, HttpResponseRedirect):
            return response
        if not _ends_elsewhere(request, response.url):
            return response
        page = render(request, "pages/onward.html", {"url": response.url})
        page.cookies = response.cookies
        page["Cache-Control"] = "private, no-store"
        return page


def _ends_elsewhere(request: HttpRequest, url: str) -> bool:
    to = urlsplit(url)
    if to.netloc and (to.scheme or request.scheme, to.netloc) != (request.scheme, request.get_host()):
        return True
    try:
        return resolve(to.path).view_name in LEADING_ELSEWHERE
    except Resolver404:
        return False
