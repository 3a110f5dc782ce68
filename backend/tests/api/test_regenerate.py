"""POST /api/events/regenerate/{ticket_id}/: re-render and re-issue."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.checkin import admission
from apps.checkin.admission import Verdict
from apps.events.codes import code_of
from apps.events.models import EventTicket
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_organiser, make_ticket, make_user
from tests.workers import publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def max_(client: Client) -> User:
    """Sign Max in, who manages the event."""
    user = make_user("max@example.org")
    client.force_login(user)
    return user


@pytest.fixture
def hanna() -> User:
    return make_user("hanna@example.org")


@pytest.fixture
def ticket(max_: User, hanna: User) -> EventTicket:
    return make_ticket(event=make_event(organiser=make_organiser(manager=max_)), holder=hanna)


def url_of(ticket: EventTicket) -> str:
    return f"/api/events/regenerate/{ticket.ticket_id}/"


def test_a_holder_can_re_render_their_ticket(
    client: Client, hanna: User, ticket: EventTicket, cloudlet: RunningCloudlet
) -> None:
    publish(ticket.pk)
    before = EventTicket.objects.get(pk=ticket.pk)
    client.force_login(hanna)

    answer = client.generic("POST", url_of(ticket))  # without a body
    assert answer.status_code == 202
    assert answer.json()["state"] == "pending"
    assert answer.json()["code"] == code_of(before)

    assert publish(ticket.pk) == EventTicket.State.READY
    after = EventTicket.objects.get(pk=ticket.pk)
    assert after.qr_code_version is not None
    assert before.qr_code_version is not None
    assert after.qr_code_version > before.qr_code_version
    assert client.get(f"/api/events/ticket/{ticket.ticket_id}/").json()["qr_code_url"] == after.qr_code.url


@pytest.mark.parametrize("body", ["{}", '{"reissue": false}', "null"])
def test_the_code_stays_without_reissue(client: Client, ticket: EventTicket, body: str) -> None:
    answer = client.post(url_of(ticket), body, content_type="application/json")
    assert answer.status_code == 202
    assert answer.json()["code"] == code_of(ticket)


def test_reissue_invalidates_the_old_code(client: Client, max_: User, ticket: EventTicket) -> None:
    old = code_of(ticket)
    answer = client.post(url_of(ticket), {"reissue": True}, content_type="application/json")
    assert answer.status_code == 202
    new = answer.json()["code"]
    assert admission.check(old, max_).verdict is Verdict.REISSUED
    assert admission.check(new, max_).verdict is Verdict.VALID


def test_holders_cannot_reissue(client: Client, hanna: User, ticket: EventTicket) -> None:
    client.force_login(hanna)
    answer = client.post(url_of(ticket), {"reissue": True}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"
    assert "Only the organiser can re-issue" in answer.json()["error"]["message"]
    ticket.refresh_from_db()
    assert (ticket.code_generation, ticket.revision) == (0, 0)


def test_a_used_ticket_cannot_be_reissued(client: Client, ticket: EventTicket) -> None:
    EventTicket.objects.update(used_at=timezone.now())
    answer = client.post(url_of(ticket), {"reissue": True}, content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "conflict"
    assert "used already" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"reisue": true}', "body.reisue"),
        ('{"reissue": "yes"}', "body.reissue"),
        ('{"reissue": 1}', "body.reissue"),
        ("[]", "body"),
    ],
)
def test_an_invalid_body_changes_nothing(client: Client, ticket: EventTicket, body: str, field: str) -> None:
    answer = client.post(url_of(ticket), body, content_type="application/json")
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]
    ticket.refresh_from_db()
    assert ticket.revision == 0


def test_a_body_that_is_no_json_gets_400(client: Client, ticket: EventTicket) -> None:
    answer = client.post(url_of(ticket), "{reissue", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"
