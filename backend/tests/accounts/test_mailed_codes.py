"""A mailed code allows three attempts, even with concurrent guesses and stale sessions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import pytest
from allauth.account import app_settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client

from apps.accounts import mailed_codes
from apps.accounts.models import MailedCode
from tests.factories import PASSWORD, make_user
from tests.races import at_once

from .test_app_sign_in import confirmation_code

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]
EMAIL = "nina@example.org"
CONCURRENT_GUESSES = 8
# The form as it is, and with actions that it does not offer: allauth compares the code for these as well.
PAGES: dict[str, dict[str, str]] = {"page": {}, "change": {"action": "change"}, "resend": {"action": "resend"}}


class SignUp:
    """A sign-up that waits for its code, by one of `KINDS` of clients."""

    def __init__(self, kind: str) -> None:
        self.kind, self.headers = kind, {}
        self.client = Client()
        if kind in PAGES:
            form = {"email": EMAIL, "password1": PASSWORD, "password2": PASSWORD}
            self.client.post("/accounts/signup/", form)
            self.session_key = self.client.session.session_key
        else:
            body = {"email": EMAIL, "password": PASSWORD}
            answer = self.client.post(f"{self._auth}/signup", body, content_type="application/json")
            if kind == "app":
                self.session_key = answer.json()["meta"]["session_token"]
                self.headers = {"X-Session-Token": self.session_key}
            else:
                self.session_key = self.client.session.session_key

    @property
    def _auth(self) -> str:
        return f"/_allauth/{'app' if self.kind == 'app' else 'browser'}/v1/auth"

    def accepts(self, code: str) -> bool:
        """Submit a code and return whether it was accepted."""
        client: Any = Client(headers=self.headers)
        if not self.headers:
            client.cookies["sessionid"] = self.session_key
        if self.kind in PAGES:
            answer = client.post("/accounts/confirm-email/", {"code": code} | PAGES[self.kind])
            return bool(answer.status_code == 302 and answer["Location"] == "/")
        if self.kind == "get":
            headers = self.headers | {"X-Email-Verification-Key": code}
            return bool(client.get(f"{self._auth}/email/verify", headers=headers).status_code == 200)
        answer = client.post(f"{self._auth}/email/verify", {"key": code}, content_type="application/json")
        return bool(answer.status_code == 200)


KINDS = [*PAGES, "app", "browser", "get"]


def guesses_compared(guess: Callable[[], bool]) -> int:
    """Make concurrent guesses and return how many of them were compared with the code."""
    compared: list[str] = []

    def compare(*, actual: str, expected: str) -> bool:
        compared.append(actual)
        return False

    modules = ("allauth.account.forms", "allauth.headless.account.inputs")
    with mock.patch(f"{modules[0]}.compare_user_code", compare), mock.patch(f"{modules[1]}.compare_user_code", compare):
        assert not any(at_once([guess] * CONCURRENT_GUESSES))
    return len(compared)


@pytest.mark.parametrize("kind", KINDS)
def test_concurrent_guesses_get_three_attempts_in_total(kind: str) -> None:
    sign_up = SignUp(kind)
    assert guesses_compared(partial(sign_up.accepts, "WRONG1")) == 3
    assert not sign_up.accepts(confirmation_code())


def test_concurrent_guesses_race_without_the_count() -> None:
    """Negative control: the guesses of the test above are concurrent."""
    sign_up = SignUp("page")
    with mock.patch.object(mailed_codes, "count_attempt"):
        assert guesses_compared(partial(sign_up.accepts, "WRONG1")) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_saving_a_stale_session_does_not_reset_the_count(kind: str) -> None:
    sign_up = SignUp(kind)
    stale = Session.objects.get(session_key=sign_up.session_key).session_data
    for _ in range(3):
        assert not sign_up.accepts("WRONG1")
        Session.objects.update_or_create(
            session_key=sign_up.session_key,
            defaults={"session_data": stale, "expire_date": "2100-01-01T00:00:00Z"},
        )
    assert not sign_up.accepts(confirmation_code())


@pytest.mark.parametrize("kind", KINDS)
def test_the_correct_code_is_accepted_at_the_third_attempt(kind: str) -> None:
    sign_up = SignUp(kind)
    codes = ["WRONG1", "WRONG2", confirmation_code()]
    assert [sign_up.accepts(code) for code in codes] == [False, False, True]


def test_an_address_with_an_account_gets_the_same_number_of_attempts() -> None:
    make_user(EMAIL)
    sign_up = SignUp("page")
    assert guesses_compared(partial(sign_up.accepts, "WRONG1")) == 3
    assert "code" not in str(mail.outbox[-1].subject).lower()


def test_counts_of_expired_codes_are_deleted() -> None:
    SignUp("page").accepts("WRONG1")
    MailedCode.objects.update(created_at="2020-01-01T00:00:00Z")
    mail.outbox.clear()
    SignUp("page").accepts("WRONG1")
    assert MailedCode.objects.count() == 1


def test_no_other_kind_of_code_is_mailed() -> None:
    """Any other kind would need `count_attempt` as well."""
    assert not app_settings.LOGIN_BY_CODE_ENABLED
    assert not app_settings.LOGIN_BY_CODE_REQUIRED
    assert not app_settings.PASSWORD_RESET_BY_CODE_ENABLED
