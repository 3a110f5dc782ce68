"""`save()` writes only the columns that were edited since the object was read, in every state of a model instance."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import models, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from apps.accounts.models import User
from apps.events.models import Event, EventTicket
from tests.factories import make_event, make_ticket

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


def columns(row: models.Model) -> dict[str, Any]:
    return type(row)._base_manager.filter(pk=row.pk).values().get()


def test_save_writes_edited_columns_only() -> None:
    ticket = EventTicket.objects.get(pk=make_ticket().pk)
    before = columns(ticket)
    ticket.qr_code, ticket.pdf_ticket = "qr_codes/old.png", "pdf_tickets/old.pdf"
    ticket.holder_name = "Jane Doe"
    ticket.published_fingerprint = "another value"
    ticket.save()
    changed = {name for name, value in columns(ticket).items() if value != before[name]}
    assert changed >= {"qr_code", "pdf_ticket", "holder_name"}
    assert "published_fingerprint" not in changed

    ticket.save(update_fields=["published_fingerprint"])
    assert columns(ticket)["published_fingerprint"] == "another value", "as in Django, when it is named"


def test_file_saved_through_its_field_is_written() -> None:
    ticket = EventTicket.objects.create(event=make_event(), qr_code="qr_codes/older.png")
    ticket.qr_code.save("old.png", ContentFile(b"png"))
    name = ticket.qr_code.name
    try:
        assert name not in (None, "qr_codes/older.png")
        assert columns(ticket)["qr_code"] == name
    finally:
        ticket.qr_code.storage.delete(name or "")


def test_related_object_saved_after_assignment_is_written() -> None:
    ticket = EventTicket.objects.get(pk=make_ticket().pk)
    ticket.holder = User(email="jane@example.org")
    ticket.holder.save()
    ticket.save()
    assert columns(ticket)["holder_id"] == ticket.holder.pk


def test_value_changed_in_place_is_written() -> None:
    event = Event.objects.get(pk=make_event(layout={"page": {"size": "a5"}}).pk)
    for size in ("a6", "a5"):
        event.layout["page"]["size"] = size
        event.save()
        assert columns(event)["layout"] == {"page": {"size": size}}


def test_save_after_a_rollback_writes_again() -> None:
    ticket = make_ticket()
    ticket.order_reference = "A-17"
    with pytest.raises(RuntimeError), transaction.atomic():
        ticket.save()
        raise RuntimeError
    assert columns(ticket)["order_reference"] == ""
    ticket.save()
    assert columns(ticket)["order_reference"] == "A-17"


def test_save_after_a_rolled_back_insert_inserts_again() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        ticket = make_ticket(event=(event := make_event()))
        raise RuntimeError
    event.organiser.save()
    event.save()
    ticket.save()
    assert columns(ticket)["holder_name"] == "John Doe"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("together", [True, False])
def test_original_value_can_be_restored(together: bool) -> None:
    ticket = EventTicket.objects.get(pk=make_ticket(order_reference="A-17").pk)
    with transaction.atomic() if together else contextlib.nullcontext():
        for value in ("B-18", "A-17"):
            ticket.order_reference = value
            ticket.save()
            assert columns(ticket)["order_reference"] == value


@pytest.mark.django_db(transaction=True)
def test_second_save_does_not_write_the_first_edit_again() -> None:
    ticket = EventTicket.objects.get(pk=make_ticket().pk)
    ticket.order_reference = "A-17"
    with transaction.atomic():
        ticket.save()
    EventTicket.objects.filter(pk=ticket.pk).update(order_reference="theirs")
    ticket.quantity = 5
    ticket.save()
    assert (columns(ticket)["order_reference"], columns(ticket)["quantity"]) == ("theirs", 5)


def test_refreshed_column_does_not_count_as_edited() -> None:
    ticket = make_ticket()
    EventTicket.objects.filter(pk=ticket.pk).update(order_reference="theirs")
    ticket.refresh_from_db(fields=["order_reference"])
    EventTicket.objects.filter(pk=ticket.pk).update(order_reference="later")
    ticket.save()
    assert columns(ticket)["order_reference"] == "later"


def test_save_without_an_edit_still_sends_signals() -> None:
    ticket = make_ticket()
    received: list[int] = []

    def receive(instance: EventTicket, **_: Any) -> None:
        received.append(instance.pk)

    post_save.connect(receive, sender=EventTicket)
    try:
        ticket.save()
    finally:
        post_save.disconnect(receive, sender=EventTicket)
    assert received == [ticket.pk]


def test_copy_without_a_primary_key_is_inserted() -> None:
    ticket = make_ticket(holder_name="John")
    copy = EventTicket.objects.get(pk=ticket.pk)
    copy.pk, copy.ticket_id = None, EventTicket().ticket_id
    copy.save()
    assert columns(copy)["holder_name"] == "John"
    assert EventTicket.objects.count() == 2
    EventTicket.objects.filter(pk=copy.pk).update(used_at=timezone.now())
    copy.save()
    assert columns(copy)["used_at"] is not None


def test_save_of_a_deleted_ticket_inserts_every_column() -> None:
    ticket = make_ticket(holder_name="John")
    EventTicket.objects.filter(pk=ticket.pk).delete()
    ticket.save()
    assert columns(ticket)["holder_name"] == "John"


def test_an_expression_is_written() -> None:
    ticket = make_ticket(quantity=2)
    for quantity in (3, 4):
        ticket.quantity = models.F("quantity") + 1  # type: ignore[assignment]
        ticket.save()
        assert columns(ticket)["quantity"] == quantity
