"""Requests for the files of tickets: made anew, at a new place, or already lying on the local storage.

A request is a committed row in state `pending`, which `pipeline.py` fulfils: the row is its own outbox. Nothing here
waits for the files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import models, transaction
from django.db.models import F

from apps.events.models import EventTicket
from apps.storage import fields, gateway

from . import queues
from .deletions import owe_deletion_of_published_files
from .outcomes import TICKETS

BATCH = 500
NOTHING_PUBLISHED: dict[str, Any] = {}
for _kind in gateway.KINDS:
    NOTHING_PUBLISHED |= {f"{_kind.name}_cloudinary_id": "", f"{_kind.name}_version": None, f"{_kind.name}_etag": ""}


def rerender(ticket: EventTicket) -> None:
    """Have both files made anew, with the same code. The old files stay in place until the new ones are there."""
    _wish_for([ticket.pk])
    ticket.refresh_from_db()


def follow_change(ticket: EventTicket) -> None:
    """As `rerender`, for a ticket that is being saved: nothing else that its object holds unsaved is lost."""
    _wish_for([ticket.pk])
    ticket.refresh_from_db(
        fields=["state", "revision", "wished_at", "attempts", "next_attempt_at", "reason", "in_bulk"]
    )


def rerender_many(tickets: models.QuerySet[EventTicket]) -> int:
    """As `rerender`, for any number of tickets, behind single ones. Answers how many."""
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(pks), BATCH):
        _wish_for(pks[start : start + BATCH], bulk=True)
    return len(pks)


def follow_reissue(before: Sequence[EventTicket], *, bulk: bool) -> None:
    """Give re-issued tickets new files at a new place, and have the files at the old one deleted.

    `before` are the tickets as they were, their rows locked by the caller's transaction. Every link to the files that
    they had is dead as soon as storage has deleted those.
    """
    owe_deletion_of_published_files(before)
    rows = EventTicket.objects.filter(pk__in=[row.pk for row in before])
    TICKETS.request_files(rows, bulk=bulk, **NOTHING_PUBLISHED)
    moved = [EventTicket(pk=row.pk, public_id_suffix=gateway.new_suffix(), **_local_names(row)) for row in before]
    EventTicket.objects.bulk_update(moved, ["public_id_suffix", *(kind.name for kind in gateway.KINDS)])
    queues.publish_soon([row.pk for row in before], bulk=bulk)


def _local_names(ticket: EventTicket) -> dict[str, str]:
    """Return what the file fields say once nothing is published: the name of a local file that was never moved."""
    names = {kind.name: getattr(ticket, kind.name).name or "" for kind in gateway.KINDS}
    return {field: "" if fields.as_published(name) else name for field, name in names.items()}


def _wish_for(pks: Sequence[int], *, bulk: bool = False) -> None:
    """Note in the rows that new files are wanted, and send the work. A worker that is at it notices when it is done."""
    with transaction.atomic():
        there = EventTicket.objects.filter(pk__in=pks).locked()
        TICKETS.request_files(EventTicket.objects.filter(pk__in=there), bulk=bulk)
        queues.publish_soon(pks, bulk=bulk)


def owe_files(found: Collection[EventTicket]) -> set[int]:
    """Note in the rows that new files are wanted, for a caller who makes them itself: no work is sent.

    Answers the keys of the tickets where it is noted. The others are gone, or were re-issued since they were read. One
    that was re-issued before places changed with that gets a place of its own.
    """
    generations = {ticket.pk: ticket.code_generation for ticket in found}
    with transaction.atomic():
        there = EventTicket.objects.filter(pk__in=EventTicket.objects.filter(pk__in=generations).locked())
        same = [row for row in there if row.code_generation == generations[row.pk]]
        for row in same:
            if row.is_at_old_place:
                EventTicket.objects.filter(pk=row.pk).update(public_id_suffix=gateway.new_suffix())
        pks = {row.pk for row in same}
        TICKETS.request_files(EventTicket.objects.filter(pk__in=pks), bulk=True)
    return pks


# -- Files on the local storage ----------------------------------------------------------------------------------


def record_home(ticket: EventTicket, names: Mapping[str, str]) -> bool:
    """Note that the ticket's files lie at these local names, by the kind of file, and rest there: no sweep looks.

    What is on Cloudinary stays recorded, so that it goes with the ticket. False, with nothing noted, when the files
    are no longer those that the ticket was read with.
    """
    row = EventTicket.objects.filter(pk=ticket.pk, revision=ticket.revision, state=EventTicket.State.READY)
    return bool(
        row.update(
            **names,
            **{f"{kind}_local": "" for kind in names},
            state=EventTicket.State.PENDING,
            revision=F("revision") + 1,
            next_attempt_at=None,
            published_generation=None,
            published_at=None,
        )
    )


def forget_local_file(ticket: EventTicket, kind: str, name: str) -> None:
    """Note that a local file of old is gone."""
    EventTicket.objects.filter(pk=ticket.pk, **{f"{kind}_local": name}).update(**{f"{kind}_local": ""})
