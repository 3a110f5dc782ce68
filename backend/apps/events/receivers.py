"""Receivers of Django's model signals, which send the domain's own signals (`signals.py`)."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from apps.storage.files import KINDS

from . import signals
from .models import EventTicket, EventTicketQuerySet

# The columns that say which files a ticket has, or may soon have.
FILE_COLUMNS = (
    "state", "lease_until", "public_id_suffix",
    *(f"{kind.name}{column}" for kind in KINDS for column in ("", "_cloudinary_id", "_local")),
)  # fmt: skip


def connect() -> None:
    post_save.connect(on_ticket_saved, sender=EventTicket, dispatch_uid="events.ticket_saved")
    pre_delete.connect(before_ticket_is_deleted, sender=EventTicket, dispatch_uid="events.ticket_before_deletion")
    post_delete.connect(on_ticket_deleted, sender=EventTicket, dispatch_uid="events.ticket_deleted")


def on_ticket_saved(
    instance: EventTicket, created: bool, raw: bool = False, update_fields: Collection[str] | None = None, **_: Any
) -> None:
    """Send `ticket_issued` for a new ticket, and `ticket_changed` if the save wrote a printed column.

    The written value may be the old one. An unnecessary signal does no harm, a missing one would.
    """
    if raw:
        return
    if created:
        signals.ticket_issued.send(EventTicket, tickets=[instance], bulk=False)
    elif EventTicket.edited_columns(update_fields).intersection(EventTicket.PRINTED):
        signals.ticket_changed.send(EventTicket, tickets=[instance])


def before_ticket_is_deleted(instance: EventTicket, origin: Any = None, **_: Any) -> None:
    """Lock the row, and refresh the columns of its files.

    The ticket may have been claimed, published or re-issued since it was read; the lock prevents it from now on.
    """
    if _is_bulk_deletion(origin):
        return
    locked = EventTicket.objects.select_for_update(no_key=True)
    with contextlib.suppress(EventTicket.DoesNotExist):  # deleted already, and so are its files
        instance.refresh_from_db(fields=FILE_COLUMNS, from_queryset=locked)


def on_ticket_deleted(instance: EventTicket, origin: Any = None, **_: Any) -> None:
    if not _is_bulk_deletion(origin):
        signals.ticket_deleted.send(EventTicket, tickets=[instance])


def _is_bulk_deletion(origin: Any) -> bool:
    """Return whether the object whose `delete()` was called is the queryset of a bulk deletion."""
    return isinstance(origin, EventTicketQuerySet) and origin.is_bulk_deletion
