"""Limit guesses at a mailed code: attempts are counted in the database, before the code is compared.

allauth counts wrong codes in the session after comparing them, so that guesses at the same moment all found the count
of before them, and a request that saved an older session put the count back.
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

KEPT = timedelta(days=1)  # longer than any code is valid


def count_attempt(request: HttpRequest) -> None:
    """Count an attempt at the session's code; forget the code when there were enough, which ends the attempts."""
    state = request.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY)
    if not state:
        return
    # Neither another code nor another address starts the count anew: both belong to the same sign-up.
    owner = f"{state['at']}:{state.get('user_id') or state['email']}"
    digest = salted_hmac("apps.accounts.mailed_codes", owner, algorithm="sha256").hexdigest()
    code, is_new = MailedCode.objects.get_or_create(digest=digest)
    if is_new:
        MailedCode.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    left = MailedCode.objects.filter(pk=code.pk, attempts__lt=app_settings.EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS)
    if not left.update(attempts=F("attempts") + 1):
        del request.session[EMAIL_VERIFICATION_CODE_SESSION_KEY]


class ConfirmCodePage(ConfirmEmailVerificationCodeView):  # type: ignore[misc] # allauth has no types
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Also with another "action" than verifying: where allauth does not offer it, it compares the code.
        if request.method == "POST":
            count_attempt(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class VerifyCode(VerifyEmailView):  # type: ignore[misc] # allauth has no types
    """For apps and browsers. A GET compares the code as well."""

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        count_attempt(request)
        response: HttpResponseBase = super().handle(request, *args, **kwargs)
        return response
