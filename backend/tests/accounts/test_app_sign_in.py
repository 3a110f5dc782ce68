"""Apps use the headless API: sign up, confirm the address, sign in, read a ticket, sign out."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.accounts.models import User
from tests.factories import PASSWORD, make_ticket, make_user

pytestmark = pytest.mark.django_db
AUTH = "/_allauth/app/v1/auth"


class App:
    """An app on a phone. It keeps no cookies and sends the latest session token."""

    def __init__(self) -> None:
        self.token = ""

    def call(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"X-Session-Token": self.token} if self.token else {}
        phone: Any = Client(enforce_csrf_checks=True)  # a new one for each call, so that no cookies are kept
        answer = phone.generic(method, url, *_json(body), headers=headers)
        if answer["Content-Type"].startswith("application/json") and "meta" in answer.json():
            self.token = answer.json()["meta"].get("session_token", self.token)
        return answer

    def sign_in(self, email: str, password: str = PASSWORD) -> Any:
        return self.call("POST", f"{AUTH}/login", {"email": email, "password": password})


def _json(body: dict[str, Any] | None) -> tuple[bytes, str]:
    return (b"" if body is None else json.dumps(body).encode()), "application/json"


def confirmation_code() -> str:
    found = re.search(r"^\s*([A-Z0-9-]{6,})\s*$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found is not None, mail.outbox[-1].body
    return found[1]


def test_sign_up_confirm_read_a_ticket_and_sign_out() -> None:
    ticket = make_ticket(holder=None, holder_email="nina@example.org")
    detail = f"/api/events/ticket/{ticket.ticket_id}/"
    app = App()

    signed_up = app.call("POST", f"{AUTH}/signup", {"email": "nina@example.org", "password": PASSWORD})
    assert signed_up.status_code == 401, "signed up, but the address must be confirmed first"
    pending = [flow["id"] for flow in signed_up.json()["data"]["flows"] if flow.get("is_pending")]
    assert pending == ["verify_email"]
    assert app.call("GET", detail).status_code == 401

    assert mail.outbox[-1].to == ["nina@example.org"]
    assert app.call("POST", f"{AUTH}/email/verify", {"key": "WRONG1"}).status_code == 400
    confirmed = app.call("POST", f"{AUTH}/email/verify", {"key": confirmation_code()})
    assert confirmed.status_code == 200
    assert confirmed.json()["meta"]["is_authenticated"]

    shown = app.call("GET", detail)
    assert shown.status_code == 200
    assert shown.json()["code"].startswith("AD1:")
    own = app.call("GET", "/api/events/tickets/").json()
    assert [item["ticket_id"] for item in own["items"]] == [str(ticket.ticket_id)]
    assert app.call("POST", f"/api/events/regenerate/{ticket.ticket_id}/").status_code == 202, "no CSRF for apps"

    revoked = app.token
    assert app.call("DELETE", f"{AUTH}/session").status_code == 401, "allauth's response to a successful sign-out"
    app.token = revoked
    assert app.call("GET", detail).status_code == 401


def test_each_sign_in_gets_its_own_token() -> None:
    nina = make_user("nina@example.org")
    ticket = make_ticket(holder=nina)
    first, second = App(), App()
    assert first.sign_in("nina@example.org").status_code == 200
    assert second.sign_in("Nina@Example.org").status_code == 200
    assert first.token != second.token
    first.call("DELETE", f"{AUTH}/session")
    assert second.call("GET", f"/api/events/ticket/{ticket.ticket_id}/").status_code == 200, (
        "the other phone stays signed in"
    )


def test_a_token_is_invalid_after_a_new_password_or_deactivation() -> None:
    nina = make_user("nina@example.org")
    ticket = make_ticket(holder=nina)
    app = App()
    app.sign_in("nina@example.org")
    detail = f"/api/events/ticket/{ticket.ticket_id}/"
    assert app.call("GET", detail).status_code == 200

    User.objects.update(is_active=False)
    assert app.call("GET", detail).status_code == 401
    User.objects.update(is_active=True)
    assert app.call("GET", detail).status_code == 200

    nina.set_password("another battery staple")
    nina.save()
    assert app.call("GET", detail).status_code == 401


def test_an_unconfirmed_address_cannot_sign_in_or_read_tickets() -> None:
    make_user("nina@example.org", confirmed=False)
    ticket = make_ticket(holder=None, holder_email="nina@example.org")
    app = App()
    assert app.sign_in("nina@example.org").status_code == 401
    assert app.call("GET", f"/api/events/ticket/{ticket.ticket_id}/").status_code == 401
    assert mail.outbox[-1].to == ["nina@example.org"], "a code to confirm the address was sent"


def test_sign_up_does_not_reveal_existing_accounts() -> None:
    make_user("nina@example.org")
    known = App().call("POST", f"{AUTH}/signup", {"email": "nina@example.org", "password": PASSWORD})
    new = App().call("POST", f"{AUTH}/signup", {"email": "otto@example.org", "password": PASSWORD})
    assert known.status_code == new.status_code == 401
    assert known.json()["data"] == new.json()["data"]


def test_failed_sign_ins_are_rate_limited() -> None:
    make_user("nina@example.org")
    app = App()
    statuses = [app.sign_in("nina@example.org", f"guess {number}").status_code for number in range(12)]
    assert statuses[0] == 400
    assert statuses[-1] == 400
    assert "too_many_login_attempts" in app.sign_in("nina@example.org").content.decode()
