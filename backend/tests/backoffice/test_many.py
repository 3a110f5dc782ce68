"""Thousands of tickets in the back office: confirmation pages stay short and take few queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Organiser
from apps.events.models import Event, EventTicket
from tests.factories import make_event, make_ticket, make_ticket_type

from .forms import fields_of, url

pytestmark = [pytest.mark.django_db, pytest.mark.integration]

MANY = 1100  # more than DATA_UPLOAD_MAX_NUMBER_FIELDS
USED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def many(event: Event) -> list[EventTicket]:
    named = [EventTicket(event=event, holder_name=f"Guest {number}") for number in range(MANY)]
    return EventTicket.objects.bulk_create(named)


@pytest.fixture
def elsewhere(team: Organiser) -> EventTicket:
    """Create a ticket of the same team that the list, filtered by event, does not show."""
    return make_ticket(event=make_event(organiser=team, title="Another night"))


def list_of(event: Event) -> str:
    return f"{url('events_eventticket_changelist')}?event__id__exact={event.pk}"


def confirmation_page(back_office: Client, event: Event, action: str) -> str:
    """Return the page that asks for confirmation for all tickets in the event's list."""
    first = EventTicket.objects.filter(event=event).latest("pk").pk
    chosen = {"action": action, "_selected_action": [first], "select_across": "1", "index": "0"}
    answer = back_office.post(list_of(event), chosen)
    assert answer.status_code == 200
    page: str = answer.content.decode()
    return page


def test_all_tickets_in_a_list_are_reissued(
    back_office: Client, event: Event, many: list[EventTicket], elsewhere: EventTicket
) -> None:
    EventTicket.objects.filter(pk__in=[ticket.pk for ticket in many[:12]]).update(used_at=USED)
    page = confirmation_page(back_office, event, "reissue_selected")
    assert f"{MANY - 12} tickets get a new code" in page
    assert "12 of them were already used" in page
    assert page.count("Guest ") == 10
    assert f"… and {MANY - 10} more" in page
    assert sum(map(len, fields_of(page).values())) < 10

    page = back_office.post(list_of(event), fields_of(page), follow=True).content.decode()
    assert f"{MANY - 12} tickets re-issued" in page
    assert page.count("This ticket was used already") == 10
    assert "2 more were not re-issued" in page
    reissued = EventTicket.objects.filter(code_generation=1)
    assert (reissued.count(), reissued.filter(pk=elsewhere.pk).count()) == (MANY - 12, 0)


def test_all_tickets_in_a_list_are_deleted(
    back_office: Client, event: Event, many: list[EventTicket], elsewhere: EventTicket
) -> None:
    page = confirmation_page(back_office, event, "delete_selected")
    assert f"{MANY} event tickets" in page
    assert page.count("Guest ") == 10
    back_office.post(list_of(event), fields_of(page))

    assert EventTicket.objects.get() == elsewhere


@pytest.mark.parametrize("action", ["reissue_selected", "delete_selected"])
def test_a_list_that_grew_after_the_confirmation_page_must_be_confirmed_again(
    back_office: Client, event: Event, action: str
) -> None:
    make_ticket(event=event)
    page = confirmation_page(back_office, event, action)
    late = make_ticket(event=event)
    page = back_office.post(list_of(event), fields_of(page), follow=True).content.decode()

    assert "the list has changed" in page
    assert list(EventTicket.objects.values_list("code_generation", flat=True)) == [0, 0]
    back_office.post(list_of(event), fields_of(confirmation_page(back_office, event, action)))
    assert not EventTicket.objects.filter(pk=late.pk, code_generation=0).exists()


@pytest.mark.parametrize("across", [{}, {"select_across": "0"}])
def test_only_tickets_that_were_selected_one_by_one_are_deleted(
    back_office: Client, event: Event, across: dict[str, str]
) -> None:
    ticked, other = make_ticket(event=event), make_ticket(event=event)
    chosen = {"action": "delete_selected", "_selected_action": [ticked.pk], **across}
    page = back_office.post(list_of(event), chosen).content.decode()
    make_ticket(event=event)
    back_office.post(list_of(event), fields_of(page))

    assert set(EventTicket.objects.filter(pk__in=[ticked.pk, other.pk])) == {other}


def test_the_confirmation_page_counts_the_tickets_of_an_event(
    back_office: Client, event: Event, many: list[EventTicket]
) -> None:
    make_ticket_type(event)
    page = back_office.get(url("events_event_delete", event.pk)).content.decode()
    assert f"{event.title} with {MANY} tickets" in page
    assert "Guest" not in page


def test_a_ticket_type_used_by_another_event_protects_its_event(back_office: Client, event: Event) -> None:
    ticket, stray = make_ticket(event=event), make_ticket(ticket_type=make_ticket_type(event))
    page = url("events_event_delete", event.pk)
    assert str(stray) in back_office.get(page).content.decode()
    back_office.post(page, {"post": "yes"})

    assert Event.objects.filter(pk=event.pk).exists()
    assert set(EventTicket.objects.all()) == {ticket, stray}


def confirmations(event: Event) -> list[tuple[str, dict[str, Any]]]:
    across = {"_selected_action": [EventTicket.objects.latest("pk").pk], "select_across": "1"}
    chosen = {"action": "delete_selected", "_selected_action": [event.pk]}
    return [
        (list_of(event), across | {"action": "reissue_selected"}),
        (list_of(event), across | {"action": "delete_selected"}),
        (url("events_event_changelist"), chosen),
        (url("events_event_delete", event.pk), {}),
    ]


@pytest.mark.parametrize("number", range(4))
def test_the_number_of_queries_for_a_confirmation_page_does_not_grow(
    back_office: Client, event: Event, number: int
) -> None:
    def queries() -> int:
        for _ in range(5):
            make_ticket(event=event, ticket_type=make_ticket_type(event, name=f"Type {EventTicket.objects.count()}"))
        address, sent = confirmations(event)[number]
        with CaptureQueriesContext(connection) as captured:
            assert (back_office.post(address, sent) if sent else back_office.get(address)).status_code == 200
        return len(captured)

    queries()  # fills Django's caches, such as content types
    assert queries() == queries()
