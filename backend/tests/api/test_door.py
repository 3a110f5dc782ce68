"""Checking codes and letting people in over HTTP: the verdicts, every character of a code, and hostile input."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.contrib.auth.models import Permission
from django.test import Client

from apps.accounts.models import User
from apps.events import issuing
from apps.events.codes import code_of
from apps.events.models import EventTicket
from tests.factories import make_event, make_organiser, make_ticket, make_ticket_type, make_user
from tests.local_tickets import accept_id
from ticketkit import KeyRing, SigningKey

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

Ask = Callable[..., Any]


@pytest.fixture
def dora(client: Client) -> User:
    """Works at the door and is signed in."""
    user = make_user("dora@example.org")
    client.force_login(user)
    return user


@pytest.fixture
def ticket(dora: User) -> EventTicket:
    event = make_event(organiser=make_organiser(door=dora), time_zone="UTC")
    return make_ticket(event=event, ticket_type=make_ticket_type(event), holder_name="Hanna", quantity=2)


@pytest.fixture(params=["get", "post"])
def verify(request: pytest.FixtureRequest, client: Client) -> Ask:
    """The two ways of asking for a verdict: with the code in the address, and in the body."""

    def ask(code: str, event: int | None = None) -> Any:
        if request.param == "get":
            query = {} if event is None else {"event": event}
            return client.get("/api/events/verify/" + quote(code, safe=""), query)
        return client.post("/api/events/verify/", {"code": code, "event": event}, content_type="application/json")

    return ask


@pytest.fixture
def admit(client: Client) -> Ask:
    def ask(code: str, **more: Any) -> Any:
        return client.post("/api/events/admit/", {"code": code, **more}, content_type="application/json")

    return ask


def test_the_door_is_told_all_it_needs(verify: Ask, ticket: EventTicket) -> None:
    answer = verify(code_of(ticket))
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    assert answer.json() == {
        "verdict": "valid",
        "message": "Valid: 2 people.",
        "ticket": {
            "ticket_id": str(ticket.ticket_id),
            "event": {
                "id": ticket.event_id,
                "title": "Concert Night",
                "starts_at": ticket.event.starts_at.isoformat().replace("+00:00", "Z"),
            },
            "holder_name": "Hanna",
            "quantity": 2,
            "ticket_type": "Standing",
            "order_reference": "",
            "used_at": None,
        },
    }


def test_looking_changes_nothing_and_admitting_works_once(verify: Ask, admit: Ask, ticket: EventTicket) -> None:
    code = code_of(ticket)
    assert verify(code).json()["verdict"] == verify(code).json()["verdict"] == "valid"
    first, second = admit(code), admit(code)
    assert (first.status_code, second.status_code) == (200, 200)
    assert (first.json()["verdict"], second.json()["verdict"]) == ("valid", "used")
    assert first.json()["ticket"]["used_at"] == second.json()["ticket"]["used_at"] is not None
    assert second.json()["message"].startswith("Used: let in before, on ")
    assert verify(code).json()["verdict"] == "used"


def test_a_replaced_copy_is_told_from_a_forgery(verify: Ask, admit: Ask, ticket: EventTicket) -> None:
    old = code_of(ticket)
    issuing.reissue(ticket)
    assert verify(old).json()["verdict"] == admit(old).json()["verdict"] == "reissued"
    forger = KeyRing(SigningKey(0, b"f" * 32))
    assert verify(forger.sign(ticket.event_id, ticket.ticket_id, 1)).json() == {
        "verdict": "unknown",
        "message": "Unknown: this is not a ticket for any of your events.",
        "ticket": None,
    }


def test_a_ticket_of_the_teams_other_event_is_sent_there(verify: Ask, admit: Ask, ticket: EventTicket) -> None:
    other = make_event(organiser=ticket.event.organiser, title="Poetry Slam")
    for answer in (verify(code_of(ticket), event=other.pk), admit(code_of(ticket), event=other.pk)):
        assert answer.json()["verdict"] == "wrong_event"
        assert "“Concert Night”" in answer.json()["message"]
    assert admit(code_of(ticket), event=ticket.event_id).json()["verdict"] == "valid"


def test_other_teams_tickets_and_events_do_not_exist(verify: Ask, admit: Ask, dora: User) -> None:
    theirs = make_ticket()
    make_organiser(door=dora)
    assert verify(code_of(theirs)).json()["verdict"] == admit(code_of(theirs)).json()["verdict"] == "unknown"
    for answer in (verify("x", event=theirs.event_id), admit("x", event=theirs.event_id), verify("x", event=10**30)):
        assert answer.status_code == 404
    theirs.refresh_from_db()
    assert theirs.used_at is None


def test_those_who_check_no_tickets_are_told_so(client: Client, verify: Ask, admit: Ask, ticket: EventTicket) -> None:
    client.force_login(make_user("hanna@example.org"))
    for answer in (verify(code_of(ticket)), admit(code_of(ticket))):
        assert answer.status_code == 403
        assert answer.json()["error"]["message"] == "Only organisers and door staff can check tickets."


def test_looking_at_tickets_is_no_permission_to_use_them_up(
    client: Client, verify: Ask, admit: Ask, ticket: EventTicket
) -> None:
    auditor = make_user("auditor@example.org", is_staff=True)
    auditor.user_permissions.add(Permission.objects.get(codename="view_eventticket"))
    client.force_login(auditor)
    assert verify(code_of(ticket)).json()["verdict"] == "valid"
    assert admit(code_of(ticket)).status_code == 403
    ticket.refresh_from_db()
    assert ticket.used_at is None

    auditor.user_permissions.add(Permission.objects.get(codename="change_eventticket"))
    assert admit(code_of(ticket)).json()["verdict"] == "valid"


def test_codes_with_every_awkward_character_arrive_whole(verify: Ask, ticket: EventTicket) -> None:
    """Codes are random, so enough of them are looked at to see each awkward character, alone and in awkward company."""
    awkward = {" ", "$", "%", "*", "+", "-", ".", "/", ":", "//", "%2", "+%"}
    unseen, event = set(awkward), ticket.event
    for _ in range(400):
        code = code_of(make_ticket(event=event))
        found = {part for part in unseen if part in code[4:]}
        if found:
            unseen -= found
            assert verify(code).json()["verdict"] == "valid", code
    assert not unseen


def test_scanners_that_act_as_keyboards_are_forgiven(verify: Ask, ticket: EventTicket) -> None:
    assert verify(code_of(ticket).lower() + "\r\n").json()["verdict"] == "valid"


def test_codes_from_before_signing(client: Client, verify: Ask, ticket: EventTicket) -> None:
    bare, as_json = str(ticket.ticket_id), json.dumps({"ticket_id": str(ticket.ticket_id), "event": "a/b"})
    assert verify(bare).json()["verdict"] == "unknown"
    accept_id(ticket)
    assert verify(bare).json()["verdict"] == verify(as_json).json()["verdict"] == "valid"
    assert client.get(f"/api/events/verify/{bare}/").json()["verdict"] == "valid", "as other addresses end"


HOSTILE = [
    "\x00",
    "AD1:\x00",
    "..",
    "../../../etc/passwd",
    "a//b",
    "?event=1",
    "#",
    "%",
    "%00",
    "%zz",
    "🎫",
    "\u202e",
    "'; DROP TABLE events_eventticket; --",
    "A" * 100_000,
    "AD1:" + "0" * 131,
    "AD1:" + ":" * 131,
    "{" * 50_000,
    '{"ticket_id": {"a": 1}}',
    "[1]",
]


@pytest.mark.parametrize("code", HOSTILE, ids=lambda code: repr(code[:20]))
def test_what_is_no_code_is_unknown_and_never_an_error(verify: Ask, admit: Ask, dora: User, code: str) -> None:
    make_organiser(door=dora)
    for answer in (verify(code), admit(code)):
        assert answer.status_code == 200, answer.content
        assert answer.json()["verdict"] == "unknown"


def test_random_text_is_unknown_and_never_an_error(verify: Ask, dora: User) -> None:
    make_organiser(door=dora)
    chance = random.Random(20261122)  # noqa: S311 # no secret, and the same text in every run
    for _ in range(60):
        length = chance.randint(1, 200)
        code = "".join(
            chr(chance.choice([chance.randrange(1, 256), chance.randrange(0x100, 0xD800)])) for _ in range(length)
        )
        assert verify(code).json()["verdict"] == "unknown", code


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "body.code"),
        ('{"code": 5}', "body.code"),
        ('{"code": "\\ud800"}', "body.code"),
        ('{"code": "x", "event": "the big one"}', "body.event"),
        ('{"code": "x", "evnet": 1}', "body.evnet"),
        ("null", "body"),
    ],
)
def test_a_scan_that_is_not_understood_says_what_is_wrong(client: Client, dora: User, body: str, field: str) -> None:
    answer = client.post("/api/events/admit/", body, content_type="application/json")
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


def test_the_keys_are_public(client: Client, settings: Any) -> None:
    new, old = bytes(range(32)), bytes(range(32, 64))
    settings.TICKET_SIGNING_KEYS = {
        "2": base64.b64encode(new).decode(),
        "1": base64.b64encode(old).decode(),
    }
    answer = client.get("/api/events/keys/")
    assert answer["Cache-Control"] == "public, max-age=3600"
    assert answer.json() == {
        "keys": {
            key_id: base64.b64encode(
                Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
            ).decode()
            for key_id, seed in (("2", new), ("1", old))
        }
    }
    assert base64.b64encode(new).decode() not in answer.text
