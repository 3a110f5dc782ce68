"""Who is asking: an app by its session token, a browser by its session cookie."""

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
    """A request that has passed authentication: `auth` is the person, however they signed in."""

    auth: User


class SessionToken(XSessionTokenAuth):  # type: ignore[misc]
    """The token that the headless API hands out when an app signs in; dead as soon as the app signs out."""

    openapi_in = "header"
    openapi_name = TOKEN_HEADER
    openapi_description = "For apps: `meta.session_token` of the sign-in under `/_allauth/app/v1/`."

    def get_session_token(self, request: HttpRequest) -> str | None:
        token = request.headers.get(TOKEN_HEADER, "")
        return token if token.isalnum() else None  # PostgreSQL can't even look for a text with a NUL in it


class SessionCookie(AuthBase):
    """The cookie of a signed-in browser. A request that changes something needs the CSRF token as well."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    openapi_description = "For pages of this site: the session, and `X-CSRFToken` with every POST."
    csrf = True  # tells the documentation page to send the token

    def __call__(self, request: HttpRequest) -> User | None:
        # A token that is no longer valid must not silently fall back to somebody's cookie.
        if TOKEN_HEADER in request.headers or not request.user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            raise ApiError(
                403, "The CSRF token is missing or wrong. Send the csrftoken cookie as X-CSRFToken.", code="csrf_failed"
            )
        return request.user
