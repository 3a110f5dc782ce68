"""Limit the attempts at a mailed code: count them in the database before the code is compared.

allauth counts wrong codes in the session, after comparing them. That is a race: concurrent guesses all read the same
count, and a request that saves a stale session resets it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account import app_settings
from allauth.account.internal.flows.email_verification_by_code import EMAIL_VERIFICATION_CODE_SESSION_KEY
from allauth.account.views import ConfirmEmailVerificationCodeView
from allauth.headless.account.views import VerifyEmailView
from django.db.models import F
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .models import MailedCode

RETENTION = timedelta(days=1)  # longer than any code is valid


def count_attempt(request: HttpRequest) -> None:
    """Count an attempt at the code in the session. Remove the code from the session if no attempts are left."""
    state = request.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY)
    if not state:
        return
    # Key the count by the sign-up, so that requesting another code or changing the address does not reset it.
    sign_up = f"{state['at']}:{state.get('user_id') or state['email']}"
    digest = salted_hmac("apps.accounts.mailed_codes", sign_up, algorithm="sha256").hexdigest()
    code, is_new = MailedCode.objects.get_or_create(digest=digest)
    if is_new:
        MailedCode.objects.filter(created_at__lt=timezone.now() - RETENTION).delete()
    allowed = MailedCode.objects.filter(pk=code.pk, attempts__lt=app_settings.EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS)
    if not allowed.update(attempts=F("attempts") + 1):
        del request.session[EMAIL_VERIFICATION_CODE_SESSION_KEY]


class ConfirmCodePage(ConfirmEmailVerificationCodeView):  # type: ignore[misc] # allauth has no types
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Count every POST: with an "action" that allauth does not know, it compares the code as well.
        if request.method == "POST":
            count_attempt(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class VerifyCode(VerifyEmailView):  # type: ignore[misc] # allauth has no types
    """The headless endpoint for apps and browsers. It compares the code on GET as well."""

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        count_attempt(request)
        response: HttpResponseBase = super().handle(request, *args, **kwargs)
        return response
