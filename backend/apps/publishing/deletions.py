"""Files leave storage with their ticket, or when it is re-issued: an outbox row in the same transaction, kept until
removal is confirmed.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Count, F
from django.utils import timezone

from apps.core.jobs.timing import LEASE, backoff
from apps.events.models import EventTicket
from apps.storage import gateway

from . import metrics, queues
from .models import StoredFileDeletion

logger = logging.getLogger("apps.events.publishing.deletions")
NOT_DELETED = "%s was not deleted: %s"

CHUNK = 50  # removed at once, as far as the gate lets them
ROUND = 1000  # removed by one task
KINDS = {kind.name: kind for kind in gateway.KINDS}


def owe_deletion_of_files(tickets: Sequence[EventTicket]) -> None:
    """Write down, in the caller's transaction, that the tickets' files must go, also those on the local storage."""
    local = (
        StoredFileDeletion(kind=StoredFileDeletion.Kind.LOCAL_FILE, name=name)
        for ticket in tickets
        for name in ticket.local_files.values()
    )
    _owe(itertools.chain(_published_files(tickets), local))


def owe_deletion_of_published_files(tickets: Sequence[EventTicket]) -> None:
    """As `owe_deletion_of_files`, for those on Cloudinary alone; the tickets' rows must not name them any more."""
    _owe(_published_files(tickets))


def owe_deletion_of_replaced_files(tickets: Sequence[EventTicket]) -> None:
    """Write down that the files which the tickets had when they were read must go, where others were published since at
    another place.
    """
    now = timezone.now()
    _owe(
        StoredFileDeletion(kind=kind, name=published, next_attempt_at=now)
        for ticket in tickets
        for kind, published in ticket.files_elsewhere.items()
    )


def _owe(rows: Iterable[StoredFileDeletion]) -> None:
    if StoredFileDeletion.objects.bulk_create(rows, batch_size=1000):
        queues.delete_soon()


def _published_files(tickets: Sequence[EventTicket]) -> Iterator[StoredFileDeletion]:
    """The files where they were published, and where they belong, whether or not they were ever recorded there: a
    worker may be uploading them right now. Then the removal waits until no call of that worker's can be under way.
    """
    now = timezone.now()
    for ticket in tickets:
        for kind in gateway.KINDS:
            for name in {getattr(ticket, f"{kind.name}_cloudinary_id"), ticket.public_id_of(kind)} - {""}:
                yield StoredFileDeletion(kind=kind.name, name=name, next_attempt_at=_calls_end_at(ticket, now))


def _calls_end_at(ticket: EventTicket, now: datetime) -> datetime:
    """When a worker's calls for the ticket have ended for certain: with its lease. A worker whose call got no answer
    gave its lease back, and the call may take effect all the same.
    """
    if ticket.lease_until is None:
        return now + LEASE if ticket.state == EventTicket.State.FAILED else now
    return max(now, ticket.lease_until)


def are_due() -> bool:
    """Whether files have to go now."""
    return StoredFileDeletion.objects.filter(next_attempt_at__lte=timezone.now()).exists()


def reasons() -> list[tuple[str, int]]:
    """Why files that should be gone are still there, and how many of them for each reason."""
    failed = StoredFileDeletion.objects.exclude(reason="").values("reason")
    return list(failed.annotate(number=Count("pk")).values_list("reason", "number"))


def delete_due(limit: int = 500) -> tuple[int, int]:
    """Remove what is due. Answers how many files are gone for certain and how many must be tried again.

    Safe to run any number of times at once: a row is taken by whoever locks it first, and is then due no more.
    """
    gone = failed = 0
    while (
        gone + failed < limit and gateway.gate.held_for() == 0 and (rows := _claim(min(CHUNK, limit - gone - failed)))
    ):
        errors = list(gateway.crew().map(_remove, rows))
        removed = [row.pk for row, error in zip(rows, errors, strict=True) if error is None]
        StoredFileDeletion.objects.filter(pk__in=removed).delete()
        for row, error in zip(rows, errors, strict=True):
            if error is not None:
                _put_off(row, error)
        gone, failed = gone + len(removed), failed + len(rows) - len(removed)
        metrics.deletions.labels("removed").inc(len(removed))
        metrics.deletions.labels("failed").inc(len(rows) - len(removed))
    return gone, failed


def work_off_outbox() -> None:
    """Remove what is due, and call for more hands while there is more than one round's worth of it."""
    if sum(delete_due(ROUND)) >= ROUND:
        queues.delete_soon()


def _claim(number: int) -> list[StoredFileDeletion]:
    now = timezone.now()
    due = StoredFileDeletion.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at", "pk")
    with transaction.atomic():
        rows = list(due.select_for_update(skip_locked=True)[:number])
        taken = StoredFileDeletion.objects.filter(pk__in=[row.pk for row in rows])
        taken.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
    return rows


def _remove(row: StoredFileDeletion) -> Exception | None:
    """In a thread of its own, without the database: what keeps the file from being removed, if anything."""
    try:
        if row.kind == StoredFileDeletion.Kind.LOCAL_FILE:
            default_storage.delete(row.name)
        else:
            gateway.destroy(KINDS[row.kind], row.name)
    except (gateway.MediaError, OSError, SuspiciousOperation) as error:  # the last for a path out of the media folder
        return error
    return None


def _put_off(row: StoredFileDeletion, error: Exception) -> None:
    attempts = row.attempts + 1
    if isinstance(error, gateway.MediaError) and error.is_rate_limit:
        # It says nothing about the file, so the attempt doesn't count: no limit makes a deletion look hopeless.
        wait, attempts = backoff(1, error.retry_after), row.attempts
        logger.info("The deletion of %s waits for the rate limit to be lifted, %s", row.name, wait)
    else:
        wait = backoff(attempts)
        logger.warning(NOT_DELETED, row.name, error)
    StoredFileDeletion.objects.filter(pk=row.pk).update(
        next_attempt_at=timezone.now() + wait, attempts=attempts, reason=str(error)[:500]
    )
