"""Adapters for allauth: demo accounts, addresses in mail, equal work and rate limits at sign-in."""

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
    """The site named in mail. allauth's own takes its name from the `Host` of the request."""

    @property
    def domain(self) -> str:
        return public_host()

    name = domain


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    error_messages: ClassVar = DefaultAccountAdapter.error_messages | {
        "demo_account": "This is an account of the demo. Its password is public, so it cannot sign in here. "
        "`manage.py make_demo` gives it a new password."
    }

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and user.is_refused:
            raise self.validation_error("demo_account")
        return user

    def pre_login(self, request: HttpRequest, user: User, **about: Any) -> HttpResponse | None:
        """Refuse accounts of the demo also where they sign in without their password."""
        if user.is_refused:
            clear_login(request)
            return cast(HttpResponse, self.respond_user_inactive(request, user))
        return cast(HttpResponse | None, super().pre_login(request, user, **about))

    def format_email_subject(self, subject: str) -> str:
        return f"[{public_host()}] {subject}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {**context, "current_site": PublicSite()})

    def send_account_already_exists_mail(self, email: str) -> None:
        """Mail the owner of the account, after the same work as for a new account.

        Hashes a password, writes and deletes a session, and reads some rows, so that the time of the answer does not
        reveal whether the account exists. `test_same_work.py` counts both cases.
        """
        User().set_password(secrets.token_urlsafe())
        session = SessionStore()
        session.save()
        session.delete()
        for _ in range(4):
            EmailAddress.objects.filter(email=email).exists()
        super().send_account_already_exists_mail(email)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count wrong passwords by the address alone.

        allauth puts the `Host` of the request before it, port included: another port was another limit. Nothing public
        changes the key; `test_rate_limits.py` fails when this method is no longer asked.
        """
        return str(credentials.get("email", "")).lower()


class HeadlessAdapter(DefaultHeadlessAdapter):  # type: ignore[misc] # allauth has no types
    def get_frontend_url(self, urlname: str, **kwargs: Any) -> str:
        """Return the address that mail leads to. allauth asks for it before it builds one from the request."""
        if urlname == "account_reset_password_from_key":
            uid, _, key = kwargs["key"].partition("-")
            kwargs = {"uidb36": uid, "key": key}
        return absolute_url(reverse(urlname, kwargs=kwargs))
