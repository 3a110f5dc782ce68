"""Authenticate apps by their session token and browsers by their session cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.headless.contrib.ninja.security import XSessionTokenAuth
from django.conf import settings
from django.http import HttpRequest
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from .errors import ApiError

if TYPE_CHECKING:
    from apps.accounts.models import User

TOKEN_HEADER = "X-Session-Token"  # noqa: S105 # the name of a header


class SignedInRequest(HttpRequest):
    """An authenticated request. `auth` is the user, for both ways of signing in."""

    auth: User


class SessionToken(XSessionTokenAuth):  # type: ignore[misc]
    """The session token that allauth's headless API returns at sign-in. Signing out invalidates it."""

    openapi_in = "header"
    openapi_name = TOKEN_HEADER
    openapi_description = "For apps: `meta.session_token` from the sign-in under `/_allauth/app/v1/`."

    def get_session_token(self, request: HttpRequest) -> str | None:
        token = request.headers.get(TOKEN_HEADER, "")
        return token if token.isalnum() else None  # PostgreSQL raises an error for a text that contains NUL


class SessionCookie(AuthBase):
    """The session cookie of a browser. Unsafe methods also need the CSRF token.

    Raises ApiError 403 with the code `csrf_failed` when that is missing or wrong.
    """

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    openapi_description = "For pages of this site: the session cookie, and `X-CSRFToken` with every POST."
    csrf = True  # makes the documentation page send the token

    def __call__(self, request: HttpRequest) -> User | None:
        # An expired token must not silently fall back to the cookie, which may belong to another user.
        if TOKEN_HEADER in request.headers or not request.user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            raise ApiError(
                403, "The CSRF token is missing or wrong. Send the csrftoken cookie as X-CSRFToken.", code="csrf_failed"
            )
        return request.user
