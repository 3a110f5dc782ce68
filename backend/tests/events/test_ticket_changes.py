"""What a ticket itself shows changes, and its files follow by themselves: after any save, and with the same code."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.jobs import dispatch
from apps.events.codes import code_of
from apps.events.models import Event, EventTicket
from apps.publishing import requests
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket, make_ticket_type
from tests.pictures import codes_in_pdf
from tests.workers import publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

State = EventTicket.State


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The tickets of every task that was sent, instead of a broker."""
    tasks: list[list[int]] = []

    def keep(task: str, arguments: list[Any], queue: str) -> None:
        if arguments:
            tasks.append(arguments[0])

    monkeypatch.setattr(dispatch, "send", keep)
    return tasks


@pytest.fixture
def ticket(cloudlet: RunningCloudlet, sent: list[list[int]]) -> EventTicket:
    """John's ticket, published."""
    ticket = make_ticket()
    publish(ticket.pk)
    sent.clear()
    return EventTicket.objects.get(pk=ticket.pk)


def new_value(ticket: EventTicket, name: str) -> Any:
    values = {
        "holder_name": "Jane Doe",
        "holder_email": "jane@example.org",
        "quantity": 7,
        "order_reference": "A-17",
    }
    return make_ticket_type(ticket.event) if name == "ticket_type" else values[name]


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("name", ["holder_name", "holder_email", "quantity", "ticket_type", "order_reference"])
def test_a_saved_change_is_published_with_the_same_code(
    ticket: EventTicket, sent: list[list[int]], name: str, only: bool
) -> None:
    old, code, version = ticket.pdf_ticket.read(), code_of(ticket), ticket.pdf_ticket_version
    setattr(ticket, name, new_value(ticket, name))
    with transaction.atomic():
        ticket.save(update_fields=[name] if only else None)
        assert sent == [], "before commit"
    assert sent == [[ticket.pk]]
    row = EventTicket.objects.get(pk=ticket.pk)
    assert row.state == ticket.state == State.PENDING
    assert row.has_files, "the old files stay until the new ones are there"

    assert publish(ticket.pk) == State.READY
    row.refresh_from_db()
    assert row.pdf_ticket_version != version
    assert codes_in_pdf(row.pdf_ticket.read()) == [code]
    if name != "holder_email":  # which is printed for want of a name only
        assert row.pdf_ticket.read() != old


def test_what_is_not_printed_costs_nothing(ticket: EventTicket, sent: list[list[int]]) -> None:
    ticket.save()
    ticket.reason = "old"
    ticket.quantity = 9  # is not written
    with CaptureQueriesContext(connection) as queries:
        ticket.save(update_fields=["reason"])
    assert not [query for query in queries if query["sql"].startswith("SELECT")]
    EventTicket.objects.defer(*EventTicket.PRINTED, "event").get(pk=ticket.pk).save()
    assert sent == []
    assert EventTicket.objects.get(pk=ticket.pk).state == State.READY


def test_publishing_does_not_ask_for_itself(ticket: EventTicket, sent: list[list[int]]) -> None:
    requests.rerender(ticket)
    publish(ticket.pk)
    assert sent == [[ticket.pk]]


def test_an_object_that_was_read_before_another_change_leaves_it_alone(
    ticket: EventTicket, sent: list[list[int]]
) -> None:
    early = EventTicket.objects.get(pk=ticket.pk)
    ticket.holder_name = "Jane Doe"
    ticket.save()
    publish(ticket.pk)
    early.save()
    assert sent == [[ticket.pk]]
    assert EventTicket.objects.get(pk=ticket.pk).holder_name == "Jane Doe"


def test_the_old_name_comes_back_only_when_it_is_asked_for(ticket: EventTicket, sent: list[list[int]]) -> None:
    early = EventTicket.objects.get(pk=ticket.pk)
    ticket.holder_name = "Jane Doe"
    ticket.save()
    publish(ticket.pk)
    early.save(update_fields=["holder_name"])
    assert sent == [[ticket.pk], [ticket.pk]]


def test_a_second_save_of_the_same_object_keeps_the_wish(ticket: EventTicket) -> None:
    ticket.holder_name = "Jane Doe"
    ticket.save()
    ticket.save()
    assert EventTicket.objects.get(pk=ticket.pk).state == State.PENDING


def test_a_change_that_is_rolled_back_sends_nothing(ticket: EventTicket, sent: list[list[int]]) -> None:
    ticket.holder_name = "Jane Doe"
    with pytest.raises(RuntimeError), transaction.atomic():
        ticket.save()
        raise RuntimeError
    assert sent == []
    assert EventTicket.objects.get(pk=ticket.pk).state == State.READY


@pytest.mark.parametrize("update_fields", [None, ["event"], ["event_id"]])
def test_a_ticket_stays_with_its_event(
    ticket: EventTicket, sent: list[list[int]], update_fields: list[str] | None
) -> None:
    event: Event = ticket.event
    ticket.event = make_event(title="Another")
    with pytest.raises(ValidationError, match="stays with its event"):
        ticket.full_clean()
    with pytest.raises(ValidationError, match="stays with its event"):
        ticket.save(update_fields=update_fields)
    row = EventTicket.objects.get(pk=ticket.pk)
    assert (row.event, row.state, sent) == (event, State.READY, [])
