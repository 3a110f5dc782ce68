"""Adapters for allauth: block demo accounts, use PUBLIC_URL in mail, resist account enumeration, limit sign-ins."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress
from allauth.headless.adapter import DefaultHeadlessAdapter
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from .models import User
from .public_url import absolute_url, public_host


class PublicSite:
    """The site for mail templates. allauth's default takes its name from the `Host` header, which clients can forge."""

    @property
    def domain(self) -> str:
        return public_host()

    name = domain


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    error_messages: ClassVar = DefaultAccountAdapter.error_messages | {
        "demo_account": "This is a demo account. Its password is public, so it can't sign in on this site. Run "
        "`manage.py make_demo` to give it a new password."
    }

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and user.is_blocked:
            raise self.validation_error("demo_account")
        return user

    def pre_login(self, request: HttpRequest, user: User, **about: Any) -> HttpResponse | None:
        """Block demo accounts that sign in without a password too, for example by a mailed code."""
        if user.is_blocked:
            clear_login(request)
            return cast(HttpResponse, self.respond_user_inactive(request, user))
        return cast(HttpResponse | None, super().pre_login(request, user, **about))

    def format_email_subject(self, subject: str) -> str:
        return f"[{public_host()}] {subject}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {**context, "current_site": PublicSite()})

    def send_account_already_exists_mail(self, email: str) -> None:
        """Mail the owner of the account after doing the same work as for a new account.

        Without the password hash, the session and the queries, the response time would reveal that the account exists
        (a timing attack). `test_same_work.py` compares the work of both cases.
        """
        User().set_password(secrets.token_urlsafe())
        session = SessionStore()
        session.save()
        session.delete()
        for _ in range(4):
            EmailAddress.objects.filter(email=email).exists()
        super().send_account_already_exists_mail(email)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Return the e-mail address alone as the key of the rate limit.

        allauth prefixes the `Host` header, so an attacker could reset the limit with another port. There is no public
        hook for the key; `test_rate_limits.py` fails if allauth stops calling this method.
        """
        return str(credentials.get("email", "")).lower()


class HeadlessAdapter(DefaultHeadlessAdapter):  # type: ignore[misc] # allauth has no types
    def get_frontend_url(self, urlname: str, **kwargs: Any) -> str:
        """Return the URL for a link in mail. Without it, allauth would build one from the `Host` header."""
        if urlname == "account_reset_password_from_key":
            uid, _, key = kwargs["key"].partition("-")
            kwargs = {"uidb36": uid, "key": key}
        return absolute_url(reverse(urlname, kwargs=kwargs))
