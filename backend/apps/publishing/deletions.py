"""The outbox of deletions: delete the files of deleted and re-issued tickets from storage.

A row is written in the transaction that deletes or re-issues the ticket, and kept until the deletion is confirmed.
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

FILES_PER_CLAIM = 50  # deleted concurrently, as far as the limiter allows it
FILES_PER_TASK = 1000
KINDS = {kind.name: kind for kind in gateway.KINDS}


def enqueue_deletion_of_files(tickets: Sequence[EventTicket]) -> None:
    """Enqueue the deletion of the tickets' files on Cloudinary and in local storage, in the caller's transaction."""
    local = (
        StoredFileDeletion(kind=StoredFileDeletion.Kind.LOCAL_FILE, name=name)
        for ticket in tickets
        for name in ticket.local_files.values()
    )
    _enqueue(itertools.chain(_published_files(tickets), local))


def enqueue_deletion_of_published_files(tickets: Sequence[EventTicket]) -> None:
    """Enqueue the deletion of the tickets' files on Cloudinary only. The rows must not refer to them any more."""
    _enqueue(_published_files(tickets))


def enqueue_deletion_of_replaced_files(tickets: Sequence[EventTicket]) -> None:
    """Enqueue the deletion of files that were replaced: published under another public id than the tickets' own."""
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
    """Yield deletions of the published public ids, and of the tickets' own, which a worker may be uploading to.

    In that case the deletion is not due until the worker's calls have ended.
    """
    now = timezone.now()
    for ticket in tickets:
        for kind in gateway.KINDS:
            for name in {getattr(ticket, f"{kind.name}_cloudinary_id"), ticket.public_id_of(kind)} - {""}:
                yield StoredFileDeletion(kind=kind.name, name=name, next_attempt_at=_calls_end_at(ticket, now))


def _calls_end_at(ticket: EventTicket, now: datetime) -> datetime:
    """Return the time at which no upload of the ticket can be running any more: the end of its lease.

    After a failure there is no lease, but an upload that timed out may still take effect.
    """
    if ticket.lease_until is None:
        return now + LEASE if ticket.state == EventTicket.State.FAILED else now
    return max(now, ticket.lease_until)


def are_due() -> bool:
    """Return whether deletions are due now."""
    return DELETIONS.jobs.due(timezone.now()).exists()


def failure_reasons() -> list[tuple[str, int]]:
    """Return the reasons of failed deletions that are still pending, with the number of files for each."""
    failed = StoredFileDeletion.objects.exclude(reason="").values("reason")
    return list(failed.annotate(number=Count("pk")).values_list("reason", "number"))


class FileDeletions(Kind[StoredFileDeletion]):
    """Deletions of files. They are retried until they succeed."""

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
    """Delete up to `limit` files that are due. Return the number of deleted files, and of failed deletions.

    Stops while a rate limit pauses calls to storage.
    """
    deleted = tried = 0
    while tried < limit and gateway.limiter.retry_after() == 0:
        if not (rows := DELETIONS.claim(min(FILES_PER_CLAIM, limit - tried))):
            break
        settled = DELETIONS.settle(list(zip(rows, gateway.executor().map(_delete, rows), strict=True)))
        deleted += sum(each.result is Result.DONE for each in settled)
        tried += len(rows)
    return deleted, tried - deleted


def process_outbox() -> None:
    """Delete up to FILES_PER_TASK files that are due, and send another task if there may be more."""
    if sum(delete_due(FILES_PER_TASK)) >= FILES_PER_TASK:
        DELETIONS.send()


def _delete(row: StoredFileDeletion) -> Success | Failure:
    """Delete the file. Runs in a thread, without the database."""
    try:
        if row.kind == StoredFileDeletion.Kind.LOCAL_FILE:
            default_storage.delete(row.name)
        else:
            gateway.destroy(KINDS[row.kind], row.name)
    except gateway.MediaError as error:
        if error.is_rate_limit:
            return Failure(str(error), Blame.NOTHING, error.retry_after)
        return Failure(str(error))
    except (OSError, SuspiciousOperation) as error:  # SuspiciousOperation: the path is outside of MEDIA_ROOT
        return Failure(str(error))
    return Success()
