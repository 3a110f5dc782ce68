"""Request new files for tickets: re-rendered, or with new public ids after a re-issue.

A request is a committed row in state `pending`, which `pipeline.py` processes: the row is its own outbox. Nothing here
waits for the files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.db import models, transaction

from apps.events import ticket_columns
from apps.events.models import EventTicket

from . import queues
from .deletions import enqueue_deletion_of_published_files
from .outcomes import TICKETS

TICKETS_PER_TRANSACTION = 500


def rerender(ticket: EventTicket) -> None:
    """Request new files with the same code. The old files stay published until the new ones replace them."""
    _request_files([ticket.pk])
    ticket.refresh_from_db()


def follow_change(ticket: EventTicket) -> None:
    """Request new files for a ticket that is being saved, and keep the unsaved values of its other fields."""
    _request_files([ticket.pk])
    ticket.refresh_from_db(
        fields=["state", "revision", "requested_at", "attempts", "next_attempt_at", "reason", "in_bulk"]
    )


def rerender_many(tickets: models.QuerySet[EventTicket]) -> int:
    """Request new files with the same codes for any number of tickets, in bulk. Return the number of tickets."""
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(pks), TICKETS_PER_TRANSACTION):
        _request_files(pks[start : start + TICKETS_PER_TRANSACTION], bulk=True)
    return len(pks)


def follow_reissue(before: Sequence[EventTicket], *, bulk: bool) -> None:
    """Request files with new public ids for re-issued tickets, and enqueue the deletion of the old files.

    `before` has the tickets as they were before the re-issue; the caller's transaction has locked their rows. Links to
    the old files stop working when storage has deleted them.
    """
    enqueue_deletion_of_published_files(before)
    rows = EventTicket.objects.filter(pk__in=[row.pk for row in before])
    TICKETS.request_files(rows, bulk=bulk, **ticket_columns.NOTHING_PUBLISHED)
    ticket_columns.assign_new_public_ids(before)
    ticket_columns.clear_published_names(before)
    queues.publish_soon([row.pk for row in before], bulk=bulk)


def _request_files(pks: Sequence[int], *, bulk: bool = False) -> None:
    """Request new files and send the work. A worker that holds a lease on a ticket has its outcome discarded."""
    with transaction.atomic():
        locked = EventTicket.objects.filter(pk__in=pks).locked()
        TICKETS.request_files(EventTicket.objects.filter(pk__in=locked), bulk=bulk)
        queues.publish_soon(pks, bulk=bulk)


def request_own_files(tickets: Collection[EventTicket]) -> set[int]:
    """Request new files without sending the work, for a caller that makes the files itself.

    Return the primary keys of the requested tickets. Tickets that were deleted or re-issued since they were read are
    skipped. Tickets that a previous version re-issued without new public ids get them.
    """
    generations = {ticket.pk: ticket.code_generation for ticket in tickets}
    with transaction.atomic():
        rows = EventTicket.objects.filter(pk__in=EventTicket.objects.filter(pk__in=generations).locked())
        same = [row for row in rows if row.code_generation == generations[row.pk]]
        ticket_columns.assign_new_public_ids([row for row in same if row.is_at_old_place])
        pks = {row.pk for row in same}
        TICKETS.request_files(EventTicket.objects.filter(pk__in=pks), bulk=True)
    return pks


def record_local_files(ticket: EventTicket, names: Mapping[str, str]) -> bool:
    """Record that the ticket's files are in local storage under these names, by the kind of file. Return False if not.

    The ticket is not published again until a request. Its files on Cloudinary stay recorded, to be deleted with the
    ticket. Nothing is recorded if new files were requested or published since the ticket was read.
    """
    row = EventTicket.objects.filter(pk=ticket.pk, revision=ticket.revision, state=EventTicket.State.READY)
    return bool(TICKETS.request(row, None, state=EventTicket.State.PENDING, **ticket_columns.stored_locally(names)))
