"""Saving a ticket that was read earlier keeps what workers and other people wrote since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from apps.events import issuing
from apps.events.issuing import Holder
from apps.events.models import EventTicket
from apps.publishing.outcomes import TICKETS
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket
from tests.workers import publish

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

WAYS: dict[str, Callable[[], EventTicket]] = {
    "created": make_ticket,
    "issued in bulk": lambda: issuing.issue_many(make_event(), [Holder("John"), Holder("Jo")])[0],
    "read": lambda: EventTicket.objects.get(pk=make_ticket().pk),
    "read in part": lambda: EventTicket.objects.only("order_reference").get(pk=make_ticket().pk),
}


def columns(ticket: EventTicket) -> dict[str, Any]:
    return EventTicket.objects.filter(pk=ticket.pk).values().get()


@pytest.mark.parametrize("way", WAYS)
def test_a_late_save_keeps_what_workers_wrote(cloudlet: RunningCloudlet, way: str) -> None:
    early = WAYS[way]()
    publish(early.pk)
    published = columns(early)
    assert published["state"] == "ready"
    early.reason = "edited"
    early.save()
    assert columns(early) == published | {"reason": "edited"}


def test_without_it_a_late_save_forgets_the_files(cloudlet: RunningCloudlet) -> None:
    """The negative control: what Django does by itself."""
    early = make_ticket()
    publish(early.pk)
    models.Model.save(early)
    assert columns(early)["state"] == "pending"
    assert columns(early)["qr_code_version"] is None


def test_a_late_save_keeps_the_lease_of_the_worker_that_is_at_it() -> None:
    early = make_ticket()
    TICKETS.claim_these([early.pk])
    early.order_reference = "A-17"
    early.save()
    assert columns(early)["lease"] is not None


def test_what_was_assigned_is_written_whatever_column_it_is() -> None:
    ticket = EventTicket.objects.get(pk=make_ticket().pk)
    ticket.qr_code = "qr_codes/old.png"
    ticket.in_bulk = True
    ticket.save()
    row = EventTicket.objects.get(pk=ticket.pk)
    assert (row.qr_code.name, row.in_bulk) == ("qr_codes/old.png", True)


def test_a_save_that_was_rolled_back_can_be_made_again() -> None:
    ticket = make_ticket()
    ticket.reason = "edited"
    with pytest.raises(RuntimeError), transaction.atomic():
        ticket.save()
        raise RuntimeError
    assert columns(ticket)["reason"] == ""
    ticket.save()
    assert columns(ticket)["reason"] == "edited"


def test_a_refreshed_column_is_no_edit() -> None:
    ticket = make_ticket()
    EventTicket.objects.filter(pk=ticket.pk).update(reason="theirs")
    ticket.refresh_from_db(fields=["reason"])
    EventTicket.objects.filter(pk=ticket.pk).update(reason="later")
    ticket.save()
    assert columns(ticket)["reason"] == "later"


def test_a_save_without_an_edit_still_tells_of_itself() -> None:
    ticket = make_ticket()
    told: list[int] = []

    def hear(instance: EventTicket, **_: Any) -> None:
        told.append(instance.pk)

    post_save.connect(hear, sender=EventTicket)
    try:
        ticket.save()
    finally:
        post_save.disconnect(hear, sender=EventTicket)
    assert told == [ticket.pk]


def test_a_copy_is_a_ticket_of_its_own() -> None:
    ticket = make_ticket(holder_name="John")
    copy = EventTicket.objects.get(pk=ticket.pk)
    copy.pk, copy.ticket_id = None, EventTicket().ticket_id
    copy.save()
    assert columns(copy)["holder_name"] == "John"
    assert EventTicket.objects.count() == 2


def test_a_deleted_ticket_is_inserted_again_as_a_whole() -> None:
    ticket = make_ticket(holder_name="John")
    EventTicket.objects.filter(pk=ticket.pk).delete()
    ticket.save()
    assert columns(ticket)["holder_name"] == "John"


def test_an_expression_is_written() -> None:
    ticket = make_ticket(quantity=2)
    ticket.quantity = models.F("quantity") + 1  # type: ignore[assignment]
    with CaptureQueriesContext(connection) as queries:
        ticket.save()
    assert columns(ticket)["quantity"] == 3
    assert [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
