"""`rerender_many` requests new files for any number of tickets."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.events.models import EventTicket
from apps.publishing.requests import rerender_many
from tests.factories import make_event, make_ticket
from tests.workers import publish

pytestmark = pytest.mark.django_db


def test_rerender_many_requests_files_for_the_given_tickets_only() -> None:
    event = make_event()
    ana, ben = make_ticket(event=event), make_ticket(event=event)
    other = make_ticket()
    EventTicket.objects.update(state=EventTicket.State.READY, next_attempt_at=None)

    assert rerender_many(EventTicket.objects.filter(event=event)) == 2

    ana.refresh_from_db()
    other.refresh_from_db()
    assert set(EventTicket.objects.pending().values_list("pk", flat=True)) == {ana.pk, ben.pk}
    assert (ana.revision, ana.code_generation) == (1, 0)
    assert (other.state, other.revision) == (EventTicket.State.READY, 0)


def test_rerender_many_retries_given_up_tickets(cloudlet: object) -> None:
    ticket = make_ticket()
    EventTicket.objects.update(state=EventTicket.State.FAILED, next_attempt_at=None, attempts=20, reason="no network")
    assert publish(ticket.pk) is None

    rerender_many(EventTicket.objects.all())

    assert publish(ticket.pk) == EventTicket.State.READY


def test_the_number_of_queries_does_not_grow_with_the_number_of_tickets() -> None:
    event = make_event()

    def queries() -> int:
        make_ticket(event=event)
        with CaptureQueriesContext(connection) as captured:
            rerender_many(event.tickets.all())
        return len(captured)

    assert queries() == queries()
