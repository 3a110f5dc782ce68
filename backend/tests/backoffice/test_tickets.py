"""Tickets in the back office: search, view, edit, re-render, re-issue."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Organiser
from apps.events.codes import code_of
from apps.events.models import Event, EventTicket
from tests.factories import make_event, make_ticket, make_ticket_type
from tests.network_guard import another_worker
from tests.workers import publish

from .forms import url

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("written", ["{0}", "{0.hex}", " {0} "])
def test_a_ticket_is_found_by_its_id_in_any_notation(back_office: Client, event: Event, written: str) -> None:
    ana, _ = make_ticket(event=event, holder_name="Ana"), make_ticket(event=event, holder_name="Ben")
    page = back_office.get(url("events_eventticket_changelist"), {"q": written.format(ana.ticket_id)}).content.decode()

    assert "Ana" in page
    assert "Ben" not in page


def test_times_are_shown_in_the_time_zone_of_the_event(back_office: Client, team: Organiser) -> None:
    used_at = datetime(2026, 7, 1, 20, 15, tzinfo=UTC)
    issued_at = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    event = make_event(organiser=team, time_zone="Asia/Kolkata")
    ticket = make_ticket(event=event, used_at=used_at, issued_at=issued_at)

    for address in (url("events_eventticket_changelist"), url("events_eventticket_change", ticket.pk)):
        page = back_office.get(address).content.decode()
        assert "02 Jul 2026, 01:45 (Asia/Kolkata)" in page
        assert "01 Jan 2026, 17:30 (Asia/Kolkata)" in page


@pytest.mark.parametrize("word", ["zoë", "zoe@example.org", "ORD-7"])
def test_a_ticket_is_found_by_name_address_and_order(back_office: Client, event: Event, word: str) -> None:
    make_ticket(event=event, holder_name="zoë", holder_email="zoe@example.org", order_reference="ORD-7")
    make_ticket(event=event, holder_name="Ben")
    found = back_office.get(url("events_eventticket_changelist"), {"q": word}).context["cl"].result_count

    assert found == 1


def test_tickets_are_filtered_by_the_state_of_their_files(back_office: Client, event: Event) -> None:
    make_ticket(event=event)
    failed = make_ticket(event=event)
    EventTicket.objects.filter(pk=failed.pk).update(state="failed", reason="Storage was away.")
    page = back_office.get(url("events_eventticket_changelist"), {"state__exact": "failed"})

    assert [row.pk for row in page.context["cl"].result_list] == [failed.pk]
    assert "Storage was away." in back_office.get(url("events_eventticket_change", failed.pk)).content.decode()


def test_both_files_are_shown_by_signed_urls(back_office: Client, event: Event, cloudlet: object) -> None:
    ticket = make_ticket(event=event)
    publish(ticket.pk)
    page = back_office.get(url("events_eventticket_change", ticket.pk)).content.decode()

    assert re.search(rf"/s--[\w-]+--/v\d+/tickets/qr_codes/{event.pk}/ticket_{ticket.ticket_id}\.png", page)
    assert re.search(rf"/s--[\w-]+--/v\d+/tickets/pdf/{event.pk}/ticket_{ticket.ticket_id}\.pdf", page)
    assert re.search(rf"pg_1[^\"]*/tickets/pdf/{event.pk}/ticket_{ticket.ticket_id}\.jpg", page)


def test_editing_a_holder_keeps_a_concurrent_write_of_a_worker(
    back_office: Client, event: Event, cloudlet: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = make_ticket(event=event)
    save = EventTicket.save

    def publish_then_save(row: EventTicket, *args: Any, **kwargs: Any) -> None:
        with another_worker():
            publish(ticket.pk)
        save(row, *args, **kwargs)

    monkeypatch.setattr(EventTicket, "save", publish_then_save)
    back_office.post(url("events_eventticket_change", ticket.pk), {"holder_name": "Ana", "quantity": 3})

    ticket.refresh_from_db()
    assert (ticket.holder_name, ticket.quantity) == ("Ana", 3)
    assert ticket.has_files
    assert ticket.revision == 1  # files with the new name are requested


def test_rerender_needs_confirmation_and_keeps_the_code(back_office: Client, event: Event) -> None:
    ticket = make_ticket(event=event)
    before = code_of(ticket)
    assert "code stays the same" in back_office.get(url("events_eventticket_rerender_one", ticket.pk)).content.decode()
    ticket.refresh_from_db()
    assert ticket.revision == 0

    back_office.post(url("events_eventticket_rerender_one", ticket.pk))
    ticket.refresh_from_db()
    assert ticket.revision == 1
    assert code_of(ticket) == before


def test_reissue_needs_confirmation_and_changes_the_code(back_office: Client, event: Event) -> None:
    ticket = make_ticket(event=event)
    before = code_of(ticket)
    assert (
        "Every earlier copy is refused"
        in back_office.get(url("events_eventticket_reissue_one", ticket.pk)).content.decode()
    )
    ticket.refresh_from_db()
    assert code_of(ticket) == before

    back_office.post(url("events_eventticket_reissue_one", ticket.pk))
    ticket.refresh_from_db()
    assert code_of(ticket) != before


def test_several_tickets_are_reissued_except_used_ones(back_office: Client, event: Event) -> None:
    fresh, used = make_ticket(event=event), make_ticket(event=event, used_at=datetime(2026, 1, 1, tzinfo=UTC))
    chosen = {"action": "reissue_selected", "_selected_action": [fresh.pk, used.pk]}
    listing = url("events_eventticket_changelist")
    assert "1 ticket gets a new code" in back_office.post(listing, chosen).content.decode()
    page = back_office.post(listing, chosen | {"confirmed": "1"}, follow=True).content.decode()

    assert "1 ticket re-issued" in page
    assert "This ticket was used already" in page
    assert list(EventTicket.objects.order_by("pk").values_list("code_generation", flat=True)) == [1, 0]


def test_several_tickets_are_re_rendered(back_office: Client, event: Event) -> None:
    chosen = [make_ticket(event=event).pk, make_ticket(event=event).pk]
    back_office.post(
        url("events_eventticket_changelist"), {"action": "rerender_selected", "_selected_action": chosen}, follow=True
    )

    assert set(EventTicket.objects.values_list("revision", flat=True)) == {1}


@pytest.mark.parametrize("name", ["events_event_changelist", "events_eventticket_changelist"])
def test_the_number_of_queries_for_a_list_does_not_grow(back_office: Client, team: Organiser, name: str) -> None:
    def queries() -> int:
        for _ in range(3):
            make_ticket(event=(event := make_event(organiser=team)), ticket_type=make_ticket_type(event))
        with CaptureQueriesContext(connection) as captured:
            assert back_office.get(url(name)).status_code == 200
        return len(captured)

    queries()  # fills Django's caches, such as content types
    assert queries() == queries()
