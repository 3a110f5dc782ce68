"""The moments of a ticket's life: it was created, what it shows was changed, its files are ready, it was deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from apps.core.jobs.dispatch import publish_soon
from apps.events import issuing as tickets
from apps.events.models import EventTicket
from apps.events.signals import ticket_ready
from apps.storage import gateway
from apps.wallets import passes

# What the ticket's row says of its files.
FILES = ("state", "lease_until", "public_id_suffix") + tuple(
    f"{kind.name}{column}" for kind in gateway.KINDS for column in ("", "_cloudinary_id", "_local")
)


def connect() -> None:
    post_save.connect(on_ticket_saved, sender=EventTicket, dispatch_uid="publish a new or changed ticket")
    pre_delete.connect(before_ticket_is_deleted, sender=EventTicket, dispatch_uid="see who is at a ticket")
    post_delete.connect(on_ticket_deleted, sender=EventTicket, dispatch_uid="delete a ticket's files")
    ticket_ready.connect(on_tickets_ready, dispatch_uid="have Google know the passes of a new or changed event")


def on_ticket_saved(instance: EventTicket, created: bool, raw: bool = False, **_: Any) -> None:
    if created and not raw and instance.next_attempt_at is not None:
        publish_soon([instance.pk])
    elif instance.is_outdated:
        tickets.follow_change(instance)


def on_tickets_ready(tickets: Sequence[EventTicket], **_: Any) -> None:
    for event_pk in {ticket.event_id for ticket in tickets}:
        passes.prepare_google_class(event_pk)


def before_ticket_is_deleted(instance: EventTicket, **_: Any) -> None:
    """Lock the row and read the lease and the places of the files anew.

    The ticket may have been claimed, published or re-issued since it was read. While the row is locked it cannot be.
    """
    if tickets.is_deleted_with_others(instance):
        return
    locked = EventTicket.objects.select_for_update(no_key=True)
    with contextlib.suppress(EventTicket.DoesNotExist):  # deleted already, and so are its files
        instance.refresh_from_db(fields=FILES, from_queryset=locked)


def on_ticket_deleted(instance: EventTicket, **_: Any) -> None:
    if not tickets.is_deleted_with_others(instance):
        tickets.follow_deletion([instance])
