"""Tickets as jobs: claim them, and record the outcome of making their files. Nothing here uses the network."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.utils import timezone

import ticketkit
from apps.core.jobs import dispatch
from apps.core.jobs.kinds import Blame, Failure, Kind, Result, RetryPolicy, Settled, Success
from apps.core.jobs.models import JobQuerySet
from apps.core.jobs.timing import first_sweep
from apps.core.telemetry.context import log_context
from apps.events import signals, ticket_columns
from apps.events.models import EventTicket
from apps.storage import gateway
from apps.storage import retry as storage_retry
from apps.storage.retry import RETRYING

from . import fingerprints, metrics, queues
from .deletions import (
    NOT_DELETED,
    enqueue_deletion_of_files,
    enqueue_deletion_of_published_files,
    enqueue_deletion_of_replaced_files,
)
from .deletions import logger as deletions_logger

logger = logging.getLogger("apps.events.publishing.claims")
NOT_PUBLISHED = "Ticket %s was not published: %s"
WAITS_FOR_STORAGE = "Ticket %s waits for storage, %s: %s"


@contextlib.contextmanager
def failures_reported_by_caller() -> Iterator[None]:
    """Do not log failures within the context, for commands that report them themselves."""

    def is_not_reported(record: logging.LogRecord) -> bool:
        return record.msg not in (NOT_PUBLISHED, WAITS_FOR_STORAGE, NOT_DELETED, RETRYING)

    loggers = (logger, deletions_logger, storage_retry.logger)
    for each in loggers:
        each.addFilter(is_not_reported)
    try:
        yield
    finally:
        for each in loggers:
            each.removeFilter(is_not_reported)


class Files(NamedTuple):
    """Both uploaded files of a ticket."""

    qr_code: gateway.StoredFile
    pdf_ticket: gateway.StoredFile


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt to make a ticket's files."""

    ticket: EventTicket
    result: Result
    error: Exception | None = None

    @property
    def state(self) -> EventTicket.State | None:
        """The ticket's state after the attempt, or None if it was deleted meanwhile."""
        if self.result is Result.DONE:
            return EventTicket.State.READY
        if self.result is Result.OVERTAKEN:
            return EventTicket.State.PENDING if EventTicket.objects.filter(pk=self.ticket.pk).exists() else None
        return EventTicket.State.FAILED


class TicketFiles(Kind[EventTicket]):
    """Tickets whose files are to be made."""

    name = "ticket"
    task = "apps.events.tasks.publish"
    requested_at = "requested_at"
    done: ClassVar[Mapping[str, Any]] = {"state": EventTicket.State.READY, "attempts": 0}
    retried: ClassVar[Mapping[str, Any]] = {"state": EventTicket.State.FAILED}
    given_up: ClassVar[Mapping[str, Any]] = retried

    @property
    def policy(self) -> RetryPolicy:  # type: ignore[override] # reads the settings late, as tests override them
        return RetryPolicy(max_attempts=settings.TICKET_MAX_ATTEMPTS)

    def request_files(
        self, rows: JobQuerySet[EventTicket], *, bulk: bool, due_at: datetime | None = None, **columns: Any
    ) -> int:
        """Request new files for these rows, which the caller has locked. Return the number of rows."""
        columns |= {"state": EventTicket.State.PENDING, "requested_at": timezone.now(), "in_bulk": bulk}
        return self.request(rows, due_at or first_sweep(), **columns)

    def load(self, claimed: JobQuerySet[EventTicket]) -> list[EventTicket]:
        # Read the events after the claim: a later change of the event sees the lease and overtakes this worker.
        # `prefetch_related` makes tickets of one event share its object. A deleted ticket may be missing here.
        return list(claimed.prefetch_related("ticket_type", "event__organiser", "event__images"))

    def settled(self, settled: Sequence[Settled[EventTicket]]) -> None:
        for each in settled:
            with log_context(ticket_id=each.job.ticket_id):
                _follow(each)
        if ready := [each.job for each in settled if each.result is Result.DONE]:
            if moved := [ticket for ticket in ready if ticket.files_elsewhere]:
                enqueue_deletion_of_replaced_files(moved)
            signals.ticket_ready.send(EventTicket, tickets=ready)


TICKETS = TicketFiles(EventTicket)


def _follow(settled: Settled[EventTicket]) -> None:
    """Log the result of one ticket, and handle an overtaken or given-up one."""
    ticket, outcome = settled.job, settled.outcome
    if settled.result is Result.OVERTAKEN:
        _follow_overtaken(ticket, isinstance(outcome, Success))
    elif isinstance(outcome, Success):
        logger.info("Published ticket %s", ticket.ticket_id)
    elif outcome.blame is Blame.NOTHING:
        logger.info("Ticket %s waits for the rate limit to be lifted, %s", ticket.ticket_id, settled.wait)
    elif outcome.blame is Blame.ENVIRONMENT:
        logger.warning(WAITS_FOR_STORAGE, ticket.ticket_id, settled.wait, outcome.reason)
    else:
        logger.warning(NOT_PUBLISHED, ticket.ticket_id, outcome.reason)
    if isinstance(outcome, Failure) and settled.result is Result.GIVEN_UP:
        signals.ticket_failed.send(EventTicket, tickets=[ticket], reason=outcome.reason[:500])


def _follow_overtaken(ticket: EventTicket, are_stored: bool) -> None:
    """Request the files again if this worker stored outdated ones, and enqueue the deletion of orphaned files.

    This includes a lost lease: this worker's upload may have been the last one, and replaced newer files.
    """
    row = EventTicket.objects.filter(pk=ticket.pk)
    if are_stored and TICKETS.request(row, first_sweep(), state=EventTicket.State.PENDING):
        queues.publish_soon([ticket.pk])
    if (found := row.only("public_id_suffix").first()) is None:
        enqueue_deletion_of_files([ticket])
    elif found.public_id_suffix != ticket.public_id_suffix:
        enqueue_deletion_of_published_files([ticket])


def record(outcomes: Sequence[tuple[EventTicket, Files | Exception]]) -> dict[int, Attempt]:
    """Record the outcomes of claimed tickets in one transaction. Return the attempts by primary key.

    Failures are recorded in the row: its state, the reason and the time of the next attempt.
    """
    errors = {ticket.pk: outcome for ticket, outcome in outcomes if isinstance(outcome, Exception)}
    fingerprints_by_pk = fingerprints.published_fingerprints(
        ticket for ticket, _ in outcomes if ticket.pk not in errors
    )
    settled = TICKETS.settle(
        [
            (
                ticket,
                _failure(outcome)
                if isinstance(outcome, Exception)
                else Success(ticket_columns.published(ticket, *outcome, fingerprints_by_pk[ticket.pk])),
            )
            for ticket, outcome in outcomes
        ]
    )
    for each in settled:
        metrics.attempts.labels("ready" if each.result is Result.DONE else each.result.value).inc()
        if each.result is Result.DONE:
            waited = (timezone.now() - each.job.requested_at).total_seconds()
            metrics.publish_seconds.labels(dispatch.BULK if each.job.in_bulk else dispatch.INTERACTIVE).observe(waited)
    return {each.job.pk: Attempt(each.job, each.result, errors.get(each.job.pk)) for each in settled}


def _failure(error: Exception) -> Failure:
    match error:
        case ticketkit.FontError():  # a fault of this machine; a retry on another one may succeed
            return Failure(str(error))
        case ticketkit.RenderingError():
            return Failure(str(error), is_final=True)
        case gateway.MediaError() if error.is_rate_limit:
            return Failure(str(error), Blame.NOTHING, error.retry_after)
        case gateway.MediaError() if not error.is_refusal_of_file:  # an outage, or wrong credentials
            return Failure(str(error), Blame.ENVIRONMENT)
        case gateway.MediaError():
            return Failure(str(error))
    return Failure(f"{type(error).__name__}: {error}")
