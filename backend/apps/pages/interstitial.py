"""Show an interstitial page when the redirect after a form leads to another site.

Browsers apply the `form-action` directive of the content security policy to the whole chain of redirects after a form.
Without the interstitial, a holder who signs in to open a PDF stays on the sign-in page, because the PDF's page
redirects to Cloudinary.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve

EXTERNAL_ROUTES = {"ticket_pdf", "ticket_google_wallet", "api:google_wallet"}  # routes that redirect to another site


class InterstitialMiddleware:
    """Replace the redirect after a POST by an interstitial page if it leads to another site.

    Listing those sites in `form-action` instead would let injected markup send any form's data there.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method != "POST" or not isinstance(response, HttpResponseRedirect):
            return response
        if not _leads_to_other_site(request, response.url):
            return response
        page = render(request, "pages/interstitial.html", {"url": response.url})
        page.cookies = response.cookies
        page["Cache-Control"] = "private, no-store"
        return page


def _leads_to_other_site(request: HttpRequest, url: str) -> bool:
    target = urlsplit(url)
    if target.netloc and (target.scheme or request.scheme, target.netloc) != (request.scheme, request.get_host()):
        return True
    try:
        return resolve(target.path).view_name in EXTERNAL_ROUTES
    except Resolver404:
        return False
