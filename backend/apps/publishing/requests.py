"""Requests for the files of tickets: made anew, at a new place, or already lying on the local storage.

A request is a committed row in state `pending`, which `pipeline.py` fulfils: the row is its own outbox. Nothing here
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

BATCH = 500


def rerender(ticket: EventTicket) -> None:
    """Have both files made anew, with the same code. The old files stay in place until the new ones are there."""
    _request_files([ticket.pk])
    ticket.refresh_from_db()


def follow_change(ticket: EventTicket) -> None:
    """As `rerender`, for a ticket that is being saved: nothing else that its object holds unsaved is lost."""
    _request_files([ticket.pk])
    ticket.refresh_from_db(
        fields=["state", "revision", "requested_at", "attempts", "next_attempt_at", "reason", "in_bulk"]
    )


def rerender_many(tickets: models.QuerySet[EventTicket]) -> int:
    """As `rerender`, for any number of tickets, behind single ones. Return how many."""
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(pks), BATCH):
        _request_files(pks[start : start + BATCH], bulk=True)
    return len(pks)


def follow_reissue(before: Sequence[EventTicket], *, bulk: bool) -> None:
    """Give re-issued tickets new files at a new place, and have the files at the old one deleted.

    `before` are the tickets as they were, their rows locked by the caller's transaction. Every link to the files that
    they had is dead as soon as storage has deleted those.
    """
    enqueue_deletion_of_published_files(before)
    rows = EventTicket.objects.filter(pk__in=[row.pk for row in before])
    TICKETS.request_files(rows, bulk=bulk, **ticket_columns.NOTHING_PUBLISHED)
    ticket_columns.assign_new_public_ids(before)
    ticket_columns.clear_published_names(before)
    queues.publish_soon([row.pk for row in before], bulk=bulk)


def _request_files(pks: Sequence[int], *, bulk: bool = False) -> None:
    """Note in the rows that new files are wanted, and send the work. A worker that is at it notices when it is done."""
    with transaction.atomic():
        there = EventTicket.objects.filter(pk__in=pks).locked()
        TICKETS.request_files(EventTicket.objects.filter(pk__in=there), bulk=bulk)
        queues.publish_soon(pks, bulk=bulk)


def request_own_files(found: Collection[EventTicket]) -> set[int]:
    """Note in the rows that new files are wanted, for a caller who makes them itself: no work is sent.

    Answers the keys of the tickets where it is noted. The others are gone, or were re-issued since they were read. One
    that was re-issued before places changed with that gets a place of its own.
    """
    generations = {ticket.pk: ticket.code_generation for ticket in found}
    with transaction.atomic():
        there = EventTicket.objects.filter(pk__in=EventTicket.objects.filter(pk__in=generations).locked())
        same = [row for row in there if row.code_generation == generations[row.pk]]
        ticket_columns.assign_new_public_ids([row for row in same if row.is_at_old_place])
        pks = {row.pk for row in same}
        TICKETS.request_files(EventTicket.objects.filter(pk__in=pks), bulk=True)
    return pks


def record_local_files(ticket: EventTicket, names: Mapping[str, str]) -> bool:
    """Note that the ticket's files lie at these local names, by the kind of file, and rest there: no sweep looks.

    What is on Cloudinary stays recorded, so that it goes with the ticket. False, with nothing noted, when the files
    are no longer those that the ticket was read with.
    """
    row = EventTicket.objects.filter(pk=ticket.pk, revision=ticket.revision, state=EventTicket.State.READY)
    return bool(TICKETS.request(row, None, state=EventTicket.State.PENDING, **ticket_columns.stored_locally(names)))
