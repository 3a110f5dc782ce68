"""Codes that are not signed: one table says which ticket they are for, whoever writes to it at the same moment."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.checkin import admission
from apps.checkin.admission import Verdict
from apps.events import codes, issuing
from apps.events.codes import code_of, find_ticket
from apps.events.issuing import TicketError
from apps.events.models import Event, EventTicket, TicketCode
from apps.events.ticket_codes import digest_of
from tests.factories import make_event, make_organiser, make_ticket, make_user
from tests.local_tickets import accept_id
from tests.races import at_once
from ticketkit import SigningKey

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

PICTURE = TicketCode.Source.PICTURE


@pytest.fixture
def dora() -> User:
    return make_user("dora@example.org")


@pytest.fixture
def event(dora: User) -> Event:
    return make_event(organiser=make_organiser(door=dora))


def accepted(event: Event, text: str) -> EventTicket:
    ticket = make_ticket(event=event)
    assert codes.accept({ticket: [text]}, PICTURE).shared == {}
    return ticket


# -- At the door -------------------------------------------------------------------------------------------------


def test_an_accepted_text_admits_once_and_is_dead_after_a_reissue(event: Event, dora: User) -> None:
    used, reissued = accepted(event, "ROW 7"), accepted(event, "ROW 8")
    issuing.reissue(reissued)
    assert [admission.admit("ROW 7", dora).verdict for _ in range(2)] == [Verdict.VALID, Verdict.USED]
    assert admission.admit("ROW 8", dora) == admission.Check(Verdict.REISSUED, reissued)
    assert admission.admit("ROW 9", dora).verdict is Verdict.UNKNOWN
    assert admission.admit(code_of(used), dora).verdict is Verdict.USED


def test_a_reissue_that_is_refused_kills_no_code(event: Event, dora: User) -> None:
    ticket = accepted(event, "ROW 7")
    admission.admit("ROW 7", dora)
    ticket.refresh_from_db()
    with pytest.raises(TicketError):
        issuing.reissue(ticket)
    assert TicketCode.objects.filter(ticket=ticket, dead_at=None).exists()


def test_a_process_of_the_version_before_reissues_without_the_table(event: Event) -> None:
    ticket = accepted(event, "ROW 7")
    EventTicket.objects.filter(pk=ticket.pk).update(code_generation=1)
    assert find_ticket("ROW 7") == (ticket, False)


def test_a_signed_form_is_never_looked_up(event: Event, dora: User) -> None:
    """Whatever is in the table: a forged, damaged or foreign code has no second way in."""
    ticket = make_ticket(event=event)
    forged = SigningKey(0, b"x" * 32).sign(event.pk, ticket.ticket_id, 0)
    other_key = SigningKey(7, b"x" * 32).sign(event.pk, ticket.ticket_id, 0)
    texts = [forged, other_key, forged[:-1], forged.lower(), f"  {forged}\r\n", "AD1:", "ad1: hello", "AD1:é"]
    codes.accept({ticket: texts}, PICTURE)
    assert not TicketCode.objects.exists()
    TicketCode.objects.bulk_create(TicketCode(ticket=ticket, digest=digest_of(text), source=PICTURE) for text in texts)
    with CaptureQueriesContext(connection) as queries:
        assert {find_ticket(text) for text in texts} == {(None, False)}
    assert len(queries) == 0


@pytest.mark.parametrize("text", ["", " \n", "x" * 7090])
def test_what_no_qr_code_says_is_never_accepted(event: Event, text: str) -> None:
    assert codes.accept({make_ticket(event=event): [text]}, PICTURE).shared == {}
    assert not TicketCode.objects.exists()
    assert find_ticket(text) == (None, False)


def test_the_door_asks_as_often_as_before(event: Event) -> None:
    """Once for a signed code, and once for any other text, also for one that names an id in JSON."""
    ticket = accept_id(accepted(event, "ROW 7"))
    texts = {code_of(ticket): True, "ROW 7": True, json.dumps({"ticket_id": str(ticket.ticket_id)}): True, "no": False}
    for text, is_code in texts.items():
        with CaptureQueriesContext(connection) as queries:
            assert find_ticket(text)[1] is is_code
        assert len(queries) == 1


def test_a_text_is_no_code_in_another_case_or_with_other_spaces(event: Event) -> None:
    accepted(event, "Row 7")
    assert {find_ticket(text) for text in ("ROW 7", "row 7", "Row 7 ", " Row 7", "Row  7", "Row 7\n")} == {
        (None, False)
    }


def test_a_link_that_was_printed_is_verified_by_its_address(event: Event, dora: User) -> None:
    accepted(event, "https://example.org/t/7/")
    accepted(event, "https://example.org/t/8")
    client = Client()
    client.force_login(dora)
    for printed, verdict in (
        ("t/7/", "valid"),
        ("t/7//", "valid"),
        ("t/7", "unknown"),
        ("t/8", "valid"),
        ("t/8/", "valid"),
    ):
        address = "/api/events/verify/" + f"https://example.org/{printed}".replace("/", "%2F")
        assert client.get(address).json()["verdict"] == verdict, printed


# -- One ticket a text -------------------------------------------------------------------------------------------


def test_an_id_in_another_tickets_picture_opens_for_neither(event: Event) -> None:
    """In whatever spelling: the ticket that it names answers to all of them."""
    named, ticket = accept_id(make_ticket(event=event)), make_ticket(event=event)
    spelled = str(named.ticket_id).upper()
    assert codes.accept({ticket: [spelled]}, PICTURE).shared == {ticket.pk: frozenset()}
    assert find_ticket(spelled) == (None, False)
    assert find_ticket(str(named.ticket_id)) == (named, True)
    assert codes.accept({ticket: [str(named.ticket_id)]}, PICTURE).shared == {ticket.pk: {named.ticket_id}}
    assert find_ticket(str(named.ticket_id)) == (None, False)


def test_tickets_of_one_batch_share_a_text_as_well(event: Event) -> None:
    first, second, third = (make_ticket(event=event) for _ in range(3))
    outcome = codes.accept({first: ["ROW 7"], second: ["ROW 8"], third: ["ROW 7"]}, PICTURE)
    assert outcome.shared.keys() == {first.pk, third.pk}
    assert find_ticket("ROW 7") == (None, False)
    assert find_ticket("ROW 8") == (second, True)


def test_the_database_itself_knows_one_ticket_a_text(event: Event) -> None:
    accepted(event, "ROW 7")
    with pytest.raises(IntegrityError), transaction.atomic():
        TicketCode.objects.create(ticket=make_ticket(event=event), digest=digest_of("ROW 7"), source=PICTURE)


def test_repeating_it_changes_nothing(event: Event) -> None:
    ticket = accept_id(accepted(event, "ROW 7"))
    texts = {ticket: ["ROW 7", str(ticket.ticket_id)]}
    for _ in range(2):
        assert codes.accept(texts, PICTURE).shared == {}
        assert set(TicketCode.objects.values_list("ticket", "source", "dead_at")) == {(ticket.pk, PICTURE, None)}


@pytest.mark.parametrize("way", ["ticket", "queryset", "event", "many"])
def test_a_deleted_tickets_text_stays_taken(event: Event, way: str) -> None:
    ticket = accepted(event, "ROW 7")
    found = EventTicket.objects.filter(pk=ticket.pk)
    ways: dict[str, Any] = {
        "ticket": ticket.delete,
        "queryset": found.delete,
        "event": event.delete,
        "many": lambda: issuing.delete_many(found),
    }
    ways[way]()
    assert find_ticket("ROW 7") == (None, False)
    other = make_ticket()
    assert codes.accept({other: ["ROW 7"]}, PICTURE).shared == {other.pk: frozenset()}
    assert find_ticket("ROW 7") == (None, False)


# -- At the same moment ------------------------------------------------------------------------------------------

ROUNDS = 5


def test_workers_that_record_the_same_texts_at_once_accept_them_for_nobody(event: Event) -> None:
    for number in range(ROUNDS):
        texts = [f"ROW {number}-{seat}" for seat in range(4)]
        claimants = [make_ticket(event=event) for _ in range(4)]
        # each in an order of its own, which must not make them wait for each other in a circle
        works = [
            partial(codes.accept, {ticket: texts[shift:] + texts[:shift]}, PICTURE)
            for shift, ticket in enumerate(claimants)
        ]
        outcomes = at_once(works)
        assert {find_ticket(text) for text in texts} == {(None, False)}
        assert sum(bool(outcome.shared) for outcome in outcomes) >= 3, "all but the first know at once"
        assert all(codes.accept({ticket: texts}, PICTURE).shared for ticket in claimants)


def test_looking_first_then_recording_misses_the_second(event: Event) -> None:
    """The negative control: two that look before either has written leave the text alive, though both claim it."""
    looked = threading.Barrier(2, timeout=20)

    def look_then_record(ticket: EventTicket) -> bool:
        rows = TicketCode.objects.filter(digest=digest_of("ROW 7"))
        is_taken = rows.exists()
        looked.wait()
        if is_taken:
            rows.update(ticket=None)
        else:
            code = TicketCode(ticket=ticket, digest=digest_of("ROW 7"), source=PICTURE)
            TicketCode.objects.bulk_create([code], ignore_conflicts=True)
        return is_taken

    claimants = [make_ticket(event=event) for _ in range(2)]
    assert at_once([partial(look_then_record, ticket) for ticket in claimants]) == [False, False]
    assert find_ticket("ROW 7")[1]


def test_a_reissue_at_the_same_moment_leaves_no_text_alive(event: Event) -> None:
    for number in range(ROUNDS):
        ticket = make_ticket(event=event)
        at_once(
            [
                lambda ticket=ticket, number=number: codes.accept({ticket: [f"ROW {number}"]}, PICTURE),
                lambda ticket=ticket: issuing.reissue(EventTicket.objects.get(pk=ticket.pk)),
            ]
        )
        assert find_ticket(f"ROW {number}") in ((None, False), (ticket, False))
        assert not TicketCode.objects.filter(dead_at=None).exists()


def test_a_deletion_at_the_same_moment_leaves_no_text_behind(event: Event) -> None:
    for number in range(ROUNDS):
        ticket = make_ticket(event=event)
        at_once(
            [
                lambda ticket=ticket, number=number: codes.accept({ticket: [f"ROW {number}"]}, PICTURE),
                lambda ticket=ticket: EventTicket.objects.get(pk=ticket.pk).delete(),
            ]
        )
        assert find_ticket(f"ROW {number}") == (None, False)
        assert not TicketCode.objects.exclude(ticket=None).exists()


def test_a_text_that_turns_up_again_while_its_first_ticket_is_reissued(event: Event) -> None:
    """Both write to the same row; neither waits for the other in a circle."""
    for number in range(ROUNDS):
        first, second = accepted(event, f"ROW {number}"), make_ticket(event=event)
        at_once(
            [
                lambda second=second, number=number: codes.accept({second: [f"ROW {number}"]}, PICTURE),
                lambda first=first: issuing.reissue(EventTicket.objects.get(pk=first.pk)),
            ]
        )
        assert find_ticket(f"ROW {number}") == (None, False)
