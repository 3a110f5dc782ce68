"""The table of accepted unsigned codes: who is admitted by one, and concurrent claims of the same text."""

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


# -- Checks and admission ----------------------------------------------------------------------------------------


def test_accepted_text_admits_once_and_is_void_after_a_reissue(event: Event, dora: User) -> None:
    used, reissued = accepted(event, "ROW 7"), accepted(event, "ROW 8")
    issuing.reissue(reissued)
    assert [admission.admit("ROW 7", dora).verdict for _ in range(2)] == [Verdict.VALID, Verdict.USED]
    assert admission.admit("ROW 8", dora) == admission.CheckResult(Verdict.REISSUED, reissued)
    assert admission.admit("ROW 9", dora).verdict is Verdict.UNKNOWN
    assert admission.admit(code_of(used), dora).verdict is Verdict.USED


def test_refused_reissue_voids_no_code(event: Event, dora: User) -> None:
    ticket = accepted(event, "ROW 7")
    admission.admit("ROW 7", dora)
    ticket.refresh_from_db()
    with pytest.raises(TicketError):
        issuing.reissue(ticket)
    assert TicketCode.objects.filter(ticket=ticket, dead_at=None).exists()


def test_reissue_by_the_previous_version_voids_accepted_texts(event: Event) -> None:
    ticket = accepted(event, "ROW 7")
    EventTicket.objects.filter(pk=ticket.pk).update(code_generation=1)
    assert find_ticket("ROW 7") == (ticket, False)


def test_text_in_signed_form_is_never_looked_up(event: Event, dora: User) -> None:
    """Whatever the table contains, a forged, damaged or foreign signed code is not accepted."""
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
def test_text_that_fits_no_qr_code_is_never_accepted(event: Event, text: str) -> None:
    assert codes.accept({make_ticket(event=event): [text]}, PICTURE).shared == {}
    assert not TicketCode.objects.exists()
    assert find_ticket(text) == (None, False)


def test_each_check_of_a_text_takes_one_query(event: Event) -> None:
    """This holds for a signed code and for any other text, including JSON with an id."""
    ticket = accept_id(accepted(event, "ROW 7"))
    texts = {code_of(ticket): True, "ROW 7": True, json.dumps({"ticket_id": str(ticket.ticket_id)}): True, "no": False}
    for text, is_code in texts.items():
        with CaptureQueriesContext(connection) as queries:
            assert find_ticket(text)[1] is is_code
        assert len(queries) == 1


def test_accepted_text_is_compared_exactly(event: Event) -> None:
    accepted(event, "Row 7")
    assert {find_ticket(text) for text in ("ROW 7", "row 7", "Row 7 ", " Row 7", "Row  7", "Row 7\n")} == {
        (None, False)
    }


def test_accepted_link_is_verified_by_the_url_path(event: Event, dora: User) -> None:
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


# -- One ticket for each text ------------------------------------------------------------------------------------


def test_id_in_the_picture_of_another_ticket_is_valid_for_neither(event: Event) -> None:
    """Any spelling of the id counts as the id."""
    named, ticket = accept_id(make_ticket(event=event)), make_ticket(event=event)
    spelled = str(named.ticket_id).upper()
    assert codes.accept({ticket: [spelled]}, PICTURE).shared == {ticket.pk: frozenset()}
    assert find_ticket(spelled) == (None, False)
    assert find_ticket(str(named.ticket_id)) == (named, True)
    assert codes.accept({ticket: [str(named.ticket_id)]}, PICTURE).shared == {ticket.pk: {named.ticket_id}}
    assert find_ticket(str(named.ticket_id)) == (None, False)


def test_text_claimed_twice_in_one_batch_is_void(event: Event) -> None:
    first, second, third = (make_ticket(event=event) for _ in range(3))
    outcome = codes.accept({first: ["ROW 7"], second: ["ROW 8"], third: ["ROW 7"]}, PICTURE)
    assert outcome.shared.keys() == {first.pk, third.pk}
    assert find_ticket("ROW 7") == (None, False)
    assert find_ticket("ROW 8") == (second, True)


def test_database_allows_one_ticket_for_each_text(event: Event) -> None:
    accepted(event, "ROW 7")
    with pytest.raises(IntegrityError), transaction.atomic():
        TicketCode.objects.create(ticket=make_ticket(event=event), digest=digest_of("ROW 7"), source=PICTURE)


def test_accept_is_idempotent(event: Event) -> None:
    ticket = accept_id(accepted(event, "ROW 7"))
    texts = {ticket: ["ROW 7", str(ticket.ticket_id)]}
    for _ in range(2):
        assert codes.accept(texts, PICTURE).shared == {}
        assert set(TicketCode.objects.values_list("ticket", "source", "dead_at")) == {(ticket.pk, PICTURE, None)}


@pytest.mark.parametrize("way", ["ticket", "queryset", "event", "many"])
def test_text_of_a_deleted_ticket_cannot_be_claimed_again(event: Event, way: str) -> None:
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


# -- Races -------------------------------------------------------------------------------------------------------

ROUNDS = 5


def test_concurrent_claims_of_the_same_texts_void_them(event: Event) -> None:
    for number in range(ROUNDS):
        texts = [f"ROW {number}-{seat}" for seat in range(4)]
        claimants = [make_ticket(event=event) for _ in range(4)]
        # in different orders, to provoke a deadlock
        works = [
            partial(codes.accept, {ticket: texts[shift:] + texts[:shift]}, PICTURE)
            for shift, ticket in enumerate(claimants)
        ]
        outcomes = at_once(works)
        assert {find_ticket(text) for text in texts} == {(None, False)}
        assert sum(bool(outcome.shared) for outcome in outcomes) >= 3, "all but the first learn it at once"
        assert all(codes.accept({ticket: texts}, PICTURE).shared for ticket in claimants)


def test_negative_control_read_then_write_misses_a_concurrent_claim(event: Event) -> None:
    """If both read before either writes, the text stays valid although both tickets claim it."""
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


def test_concurrent_reissue_leaves_no_valid_text(event: Event) -> None:
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


def test_concurrent_deletion_leaves_no_valid_text(event: Event) -> None:
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


def test_claim_of_a_text_while_its_first_ticket_is_reissued(event: Event) -> None:
    """Both write to the same row, without a deadlock."""
    for number in range(ROUNDS):
        first, second = accepted(event, f"ROW {number}"), make_ticket(event=event)
        at_once(
            [
                lambda second=second, number=number: codes.accept({second: [f"ROW {number}"]}, PICTURE),
                lambda first=first: issuing.reissue(EventTicket.objects.get(pk=first.pk)),
            ]
        )
        assert find_ticket(f"ROW {number}") == (None, False)
