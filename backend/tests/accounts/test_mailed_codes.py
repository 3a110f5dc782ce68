"""A mailed code can be guessed at three times, however many guesses come at once and whatever the session does else."""

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
AT_ONCE = 8
# The form as it is, and with actions that it does not offer: allauth compares the code then as well.
PAGES: dict[str, dict[str, str]] = {"page": {}, "change": {"action": "change"}, "resend": {"action": "resend"}}


class Way:
    """A sign-up that waits for its code, and its own way of trying one. `right` tells whether the code was taken."""

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

    def right(self, code: str) -> bool:
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


def attempts_counted(way: Way, guess: Callable[[], bool]) -> int:
    """How many of guesses at the same moment were compared with the code."""
    compared: list[str] = []

    def compare(*, actual: str, expected: str) -> bool:
        compared.append(actual)
        return False

    modules = ("allauth.account.forms", "allauth.headless.account.inputs")
    with mock.patch(f"{modules[0]}.compare_user_code", compare), mock.patch(f"{modules[1]}.compare_user_code", compare):
        assert not any(at_once([guess] * AT_ONCE))
    return len(compared)


@pytest.mark.parametrize("kind", KINDS)
def test_guesses_at_the_same_moment_are_three_in_all(kind: str) -> None:
    way = Way(kind)
    assert attempts_counted(way, partial(way.right, "WRONG1")) == 3
    assert not way.right(confirmation_code())


def test_without_counting_first_they_are_more() -> None:
    """That the guesses of the test above do meet."""
    way = Way("page")
    with mock.patch.object(mailed_codes, "count_attempt"):
        assert attempts_counted(way, partial(way.right, "WRONG1")) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_session_that_is_saved_late_gives_no_attempt_back(kind: str) -> None:
    way = Way(kind)
    before = Session.objects.get(session_key=way.session_key).session_data
    for _ in range(3):
        assert not way.right("WRONG1")
        Session.objects.update_or_create(
            session_key=way.session_key,
            defaults={"session_data": before, "expire_date": "2100-01-01T00:00:00Z"},
        )
    assert not way.right(confirmation_code())


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_code_is_taken_at_the_third_attempt(kind: str) -> None:
    way = Way(kind)
    assert [way.right("WRONG1"), way.right("WRONG2"), way.right(confirmation_code())] == [False, False, True]


def test_an_address_with_an_account_allows_no_more_attempts_than_another() -> None:
    make_user(EMAIL)
    way = Way("page")
    assert attempts_counted(way, partial(way.right, "WRONG1")) == 3
    assert "code" not in str(mail.outbox[-1].subject).lower()


def test_counts_of_codes_that_are_no_longer_valid_are_forgotten() -> None:
    Way("page").right("WRONG1")
    MailedCode.objects.update(created_at="2020-01-01T00:00:00Z")
    mail.outbox.clear()
    Way("page").right("WRONG1")
    assert MailedCode.objects.count() == 1


def test_no_other_code_is_mailed() -> None:
    """Each that were would need its attempts counted first as well."""
    assert not app_settings.LOGIN_BY_CODE_ENABLED
    assert not app_settings.LOGIN_BY_CODE_REQUIRED
    assert not app_settings.PASSWORD_RESET_BY_CODE_ENABLED
