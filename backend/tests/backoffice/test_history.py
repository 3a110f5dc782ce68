"""The history of tickets and events records who did what, in the back office and through the API."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.events.models import Event, EventTicket
from tests.factories import make_ticket

from .forms import url

pytestmark = pytest.mark.django_db


def history_of(back_office: Client, row: Event | EventTicket) -> str:
    page = back_office.get(url(f"events_{row._meta.model_name}_history", row.pk)).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize(
    ("verb", "words"), [("reissue_one", "Re-issued: it has a new code"), ("rerender_one", "Files re-rendered")]
)
def test_an_action_on_one_ticket_is_recorded(
    back_office: Client, event: Event, jonas: User, verb: str, words: str
) -> None:
    ticket = make_ticket(event=event)
    assert words not in history_of(back_office, ticket)
    back_office.post(url(f"events_eventticket_{verb}", ticket.pk))
    assert words in history_of(back_office, ticket)
    assert jonas.email in history_of(back_office, ticket)


@pytest.mark.parametrize(
    ("action", "words"), [("reissue_selected", "Re-issued"), ("rerender_selected", "Files re-rendered")]
)
def test_an_action_on_several_tickets_is_recorded(back_office: Client, event: Event, action: str, words: str) -> None:
    chosen = [make_ticket(event=event) for _ in range(2)]
    other = make_ticket(event=event)
    form = {"action": action, "_selected_action": [ticket.pk for ticket in chosen], "confirmed": "1"}
    back_office.post(url("events_eventticket_changelist"), form)
    assert [words in history_of(back_office, ticket) for ticket in (*chosen, other)] == [True, True, False]


def test_a_reissue_through_the_api_is_recorded(back_office: Client, event: Event, jonas: User) -> None:
    ticket = make_ticket(event=event)
    answer = back_office.post(f"/api/events/regenerate/{ticket.ticket_id}/", {"reissue": True}, "application/json")
    assert answer.status_code == 202
    assert "Re-issued" in history_of(back_office, ticket)
    assert jonas.email in history_of(back_office, ticket)


def test_an_issued_list_is_in_the_history_of_the_event(back_office: Client, event: Event) -> None:
    page = back_office.post(url("events_event_issue", event.pk), {"holders": "Ana\nBen"}).content.decode()
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found is not None
    back_office.post(url("events_event_issue", event.pk), {"holders": "Ana\nBen", "key": found[1], "issue": "1"})
    assert event.tickets.count() == 2
    assert "2 tickets issued from a list." in history_of(back_office, event)


def test_a_used_ticket_has_no_button_to_reissue(back_office: Client, event: Event) -> None:
    used = make_ticket(event=event, used_at=timezone.now())
    page = back_office.get(url("events_eventticket_reissue_one", used.pk)).content.decode()
    assert "already used" in page
    assert "get a new code" not in page
    assert "backoffice-danger" not in page
