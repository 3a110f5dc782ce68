"""Saving a printed value of a ticket requests new files with the same code."""

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
    """Replace the broker, and return the list of ticket keys of every task that was sent."""
    tasks: list[list[int]] = []

    def keep(task: str, arguments: list[Any], queue: str) -> None:
        if arguments:
            tasks.append(arguments[0])

    monkeypatch.setattr(dispatch, "send", keep)
    return tasks


@pytest.fixture
def ticket(cloudlet: RunningCloudlet, sent: list[list[int]]) -> EventTicket:
    """Return a published ticket of John Doe."""
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
def test_saved_change_is_published_with_the_same_code(
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
    assert row.has_files, "the old files stay until the new ones are uploaded"

    assert publish(ticket.pk) == State.READY
    row.refresh_from_db()
    assert row.pdf_ticket_version != version
    assert codes_in_pdf(row.pdf_ticket.read()) == [code]
    if name != "holder_email":  # it is printed only if there is no name
        assert row.pdf_ticket.read() != old


def test_change_that_is_not_printed_sends_no_task(ticket: EventTicket, sent: list[list[int]]) -> None:
    ticket.save()
    ticket.reason = "old"
    ticket.quantity = 9  # is not written
    with CaptureQueriesContext(connection) as queries:
        ticket.save(update_fields=["reason"])
    assert not [query for query in queries if query["sql"].startswith("SELECT")]
    EventTicket.objects.defer(*EventTicket.PRINTED, "event").get(pk=ticket.pk).save()
    assert sent == []
    assert EventTicket.objects.get(pk=ticket.pk).state == State.READY


def test_publishing_does_not_request_itself_again(ticket: EventTicket, sent: list[list[int]]) -> None:
    requests.rerender(ticket)
    publish(ticket.pk)
    assert sent == [[ticket.pk]]


def test_save_of_a_stale_object_does_not_request_files(ticket: EventTicket, sent: list[list[int]]) -> None:
    early = EventTicket.objects.get(pk=ticket.pk)
    ticket.holder_name = "Jane Doe"
    ticket.save()
    publish(ticket.pk)
    early.save()
    assert sent == [[ticket.pk]]
    assert EventTicket.objects.get(pk=ticket.pk).holder_name == "Jane Doe"


def test_stale_name_is_written_only_with_update_fields(ticket: EventTicket, sent: list[list[int]]) -> None:
    early = EventTicket.objects.get(pk=ticket.pk)
    ticket.holder_name = "Jane Doe"
    ticket.save()
    publish(ticket.pk)
    early.save(update_fields=["holder_name"])
    assert sent == [[ticket.pk], [ticket.pk]]


def test_second_save_of_the_same_object_keeps_the_request(ticket: EventTicket) -> None:
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
def test_ticket_cannot_change_its_event(
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
