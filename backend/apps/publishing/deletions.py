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
from django.db.models import Count
from django.utils import timezone

from apps.core.jobs.kinds import Blame, Failure, Kind, Result, Settled, Success
from apps.core.jobs.timing import LEASE
from apps.events.models import EventTicket
from apps.storage import gateway

from . import metrics
from .models import StoredFileDeletion

logger = logging.getLogger("apps.events.publishing.deletions")
NOT_DELETED = "%s was not deleted: %s"

CHUNK = 50  # removed at once, as far as the gate lets them
ROUND = 1000  # removed by one task
KINDS = {kind.name: kind for kind in gateway.KINDS}


def enqueue_deletion_of_files(tickets: Sequence[EventTicket]) -> None:
    """Write down, in the caller's transaction, that the tickets' files must go, also those on the local storage."""
    local = (
        StoredFileDeletion(kind=StoredFileDeletion.Kind.LOCAL_FILE, name=name)
        for ticket in tickets
        for name in ticket.local_files.values()
    )
    _enqueue(itertools.chain(_published_files(tickets), local))


def enqueue_deletion_of_published_files(tickets: Sequence[EventTicket]) -> None:
    """As `enqueue_deletion_of_files`, for those on Cloudinary alone; the tickets' rows must not name them any more."""
    _enqueue(_published_files(tickets))


def enqueue_deletion_of_replaced_files(tickets: Sequence[EventTicket]) -> None:
    """Write down that the files which the tickets had when they were read must go, where others were published since at
    another place.
    """
    now = timezone.now()
    _enqueue(
        StoredFileDeletion(kind=kind, name=published, next_attempt_at=now)
        for ticket in tickets
        for kind, published in ticket.files_elsewhere.items()
    )


def _enqueue(rows: Iterable[StoredFileDeletion]) -> None:
    if StoredFileDeletion.objects.bulk_create(rows, batch_size=1000):
        DELETIONS.send()


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
    return DELETIONS.jobs.due(timezone.now()).exists()


def reasons() -> list[tuple[str, int]]:
    """Why files that should be gone are still there, and how many of them for each reason."""
    failed = StoredFileDeletion.objects.exclude(reason="").values("reason")
    return list(failed.annotate(number=Count("pk")).values_list("reason", "number"))


class FileDeletions(Kind[StoredFileDeletion]):
    """Files to remove from storage. They are tried until they are gone."""

    name = "file_deletion"
    task = "apps.events.tasks.delete_due"

    def settled(self, settled: Sequence[Settled[StoredFileDeletion]]) -> None:
        for each in settled:
            if isinstance(each.outcome, Failure):
                level = logging.INFO if each.outcome.blame is Blame.NOTHING else logging.WARNING
                logger.log(level, NOT_DELETED, each.job.name, each.outcome.reason)
            metrics.deletions.labels("removed" if each.result is Result.DONE else "failed").inc()


DELETIONS = FileDeletions(StoredFileDeletion)


def delete_due(limit: int = 500) -> tuple[int, int]:
    """Remove what is due. Return how many files are gone for certain, and how many must be tried again."""
    gone = tried = 0
    while tried < limit and gateway.limiter.retry_after() == 0 and (rows := DELETIONS.claim(min(CHUNK, limit - tried))):
        settled = DELETIONS.settle(list(zip(rows, gateway.executor().map(_remove, rows), strict=True)))
        gone += sum(each.result is Result.DONE for each in settled)
        tried += len(rows)
    return gone, tried - gone


def work_off_outbox() -> None:
    """Remove what is due, and have another task go on while there is more than one task's worth of it."""
    if sum(delete_due(ROUND)) >= ROUND:
        DELETIONS.send()


def _remove(row: StoredFileDeletion) -> Success | Failure:
    """In a thread of its own, without the database: remove the file, or say why it can't be removed."""
    try:
        if row.kind == StoredFileDeletion.Kind.LOCAL_FILE:
            default_storage.delete(row.name)
        else:
            gateway.destroy(KINDS[row.kind], row.name)
    except gateway.MediaError as error:
        if error.is_rate_limit:
            return Failure(str(error), Blame.NOTHING, error.retry_after)
        return Failure(str(error))
    except (OSError, SuspiciousOperation) as error:  # the last for a path out of the media folder
        return Failure(str(error))
    return Success()
