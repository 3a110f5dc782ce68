"""Tell of what happens to a ticket's row, however it happens: it was created, changed, or deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from apps.storage.files import KINDS

from . import signals
from .models import EventTicket, EventTicketQuerySet

# What the ticket's row says of its files.
FILES = ("state", "lease_until", "public_id_suffix") + tuple(
    f"{kind.name}{column}" for kind in KINDS for column in ("", "_cloudinary_id", "_local")
)


def connect() -> None:
    post_save.connect(on_ticket_saved, sender=EventTicket, dispatch_uid="tell of a new or changed ticket")
    pre_delete.connect(before_ticket_is_deleted, sender=EventTicket, dispatch_uid="see who is at a ticket")
    post_delete.connect(on_ticket_deleted, sender=EventTicket, dispatch_uid="tell of a deleted ticket")


def on_ticket_saved(
    instance: EventTicket, created: bool, raw: bool = False, update_fields: Collection[str] | None = None, **_: Any
) -> None:
    """Tell of a ticket that is new, and of one whose save wrote what is printed: once too often rather than never."""
    if raw:
        return
    if created:
        signals.ticket_issued.send(EventTicket, tickets=[instance], bulk=False)
    elif EventTicket.edited_columns(update_fields).intersection(EventTicket.PRINTED):
        signals.ticket_changed.send(EventTicket, tickets=[instance])


def before_ticket_is_deleted(instance: EventTicket, origin: Any = None, **_: Any) -> None:
    """Lock the row and read the lease and the places of the files anew.

    The ticket may have been claimed, published or re-issued since it was read. While the row is locked it cannot be.
    """
    if _is_bulk_deletion(origin):
        return
    locked = EventTicket.objects.select_for_update(no_key=True)
    with contextlib.suppress(EventTicket.DoesNotExist):  # deleted already, and so are its files
        instance.refresh_from_db(fields=FILES, from_queryset=locked)


def on_ticket_deleted(instance: EventTicket, origin: Any = None, **_: Any) -> None:
    if not _is_bulk_deletion(origin):
        signals.ticket_deleted.send(EventTicket, tickets=[instance])


def _is_bulk_deletion(origin: Any) -> bool:
    """Whether the instance or query whose `delete()` was called tells of all tickets itself."""
    return isinstance(origin, EventTicketQuerySet) and origin.is_bulk_deletion
