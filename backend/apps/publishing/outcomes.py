"""How the work on claimed tickets ended, written down in their rows.

What is written down counts only while the row still holds the lease and the request that the work answers. Nothing here
touches the network.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from apps.core.db.rows import Row, update_each
from apps.core.jobs import dispatch
from apps.core.jobs.timing import backoff, first_sweep, longest_backoff
from apps.core.telemetry.context import about
from apps.events import signals
from apps.events.models import EventTicket
from apps.storage import gateway
from apps.storage import retry as retrying
from apps.storage.retry import TRIED_ONCE_MORE
from ticketkit import FontError, RenderingError

from . import fingerprints, metrics, queues
from .deletions import (
    NOT_DELETED,
    owe_deletion_of_files,
    owe_deletion_of_published_files,
    owe_deletion_of_replaced_files,
)
from .deletions import logger as deletions_logger

logger = logging.getLogger("apps.events.publishing.claims")
NOT_PUBLISHED = "Ticket %s was not published: %s"
WAITS_FOR_STORAGE = "Ticket %s waits for storage, %s: %s"


@contextlib.contextmanager
def failures_told_by_caller() -> Iterator[None]:
    """For a command that tells what failed, and why: the log doesn't say it once more for every attempt."""

    def is_news(record: logging.LogRecord) -> bool:
        return record.msg not in (NOT_PUBLISHED, WAITS_FOR_STORAGE, NOT_DELETED, TRIED_ONCE_MORE)

    loggers = (logger, deletions_logger, retrying.logger)
    for each in loggers:
        each.addFilter(is_news)
    try:
        yield
    finally:
        for each in loggers:
            each.removeFilter(is_news)


@dataclass(frozen=True, slots=True)
class Files:
    """Both files of a ticket, as storage has taken them."""

    qr_code: gateway.StoredFile
    pdf_ticket: gateway.StoredFile


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt to make a ticket's files ended; no state when the ticket was deleted meanwhile."""

    state: EventTicket.State | None
    error: Exception | None = None
    is_last: bool = False  # given up: nobody tries again before a person asks for it

    @property
    def outcome(self) -> str:
        """In one word, for counting."""
        if self.error is not None:
            return "given_up" if self.is_last else "retried"
        return "ready" if self.state == EventTicket.State.READY else "overtaken"


def record(outcomes: Sequence[tuple[EventTicket, Files | Exception]]) -> dict[int, Attempt]:
    """Write down how the work on claimed tickets ended, in one transaction. Answers what became of each, by its id.

    Failures of rendering and of storage end in the row: the state, the reason, the next attempt.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome[0].pk)
    try:
        attempts = _record_all(ordered)
    except OperationalError as error:  # such as a deadlock with a change of the whole event
        logger.warning("%d outcomes are written down one by one: %s", len(ordered), error)
        attempts = {}
        for outcome in ordered:
            attempts |= _record_all([outcome])
    for ticket, _ in ordered:
        attempt = attempts[ticket.pk]
        metrics.attempts.labels(attempt.outcome).inc()
        if attempt.state == EventTicket.State.READY:
            waited = (timezone.now() - ticket.wished_at).total_seconds()
            metrics.publish_seconds.labels(dispatch.BULK if ticket.in_bulk else dispatch.INTERACTIVE).observe(waited)
    return attempts


@transaction.atomic
def _record_all(outcomes: Sequence[tuple[EventTicket, Files | Exception]]) -> dict[int, Attempt]:
    attempts = _record_successes(outcomes)
    attempts |= {ticket.pk: _record(ticket, outcome) for ticket, outcome in outcomes if ticket.pk not in attempts}
    if ready := [ticket for ticket, _ in outcomes if attempts[ticket.pk].state == EventTicket.State.READY]:
        signals.ticket_ready.send(EventTicket, tickets=ready)
    return attempts


def _record(ticket: EventTicket, outcome: Files | Exception) -> Attempt:
    with about(ticket_id=ticket.ticket_id):
        return _record_outcome(ticket, outcome)


def _record_outcome(ticket: EventTicket, outcome: Files | Exception) -> Attempt:
    match outcome:
        case Files():
            return _record_successes([(ticket, outcome)]).get(ticket.pk) or Attempt(_settle_overtaken(ticket))
        case FontError():  # of this machine, which others may not share
            return _record_failure(ticket, outcome, str(outcome))
        case RenderingError():
            return _record_failure(ticket, outcome, str(outcome), retry=False)
        case gateway.MediaError() if outcome.is_rate_limit:
            return _record_rate_limit(ticket, outcome)
        case gateway.MediaError() if not outcome.is_refusal_of_file:
            return _record_fault_of_storage(ticket, outcome)
        case gateway.MediaError():
            return _record_failure(ticket, outcome, str(outcome))
    return _record_failure(ticket, outcome, f"{type(outcome).__name__}: {outcome}")


def _record_successes(outcomes: Sequence[tuple[EventTicket, Files | Exception]]) -> dict[int, Attempt]:
    """Write down, by one statement, those that are files, and answer them but for those overtaken meanwhile."""
    made = [(ticket, files) for ticket, files in outcomes if isinstance(files, Files)]
    rows = [
        Row(ticket.pk, {"lease": ticket.lease, "revision": ticket.revision}, _published(ticket, files))
        for ticket, files in made
    ]
    done = update_each(
        EventTicket,
        rows,
        state=EventTicket.State.READY,
        published_at=timezone.now(),
        attempts=0,
        next_attempt_at=None,
        lease=None,
        lease_until=None,
        reason="",
    )
    if moved := [ticket for ticket, _ in made if ticket.pk in done and ticket.files_elsewhere]:
        owe_deletion_of_replaced_files(moved)
    for ticket, _ in made:
        if ticket.pk in done:
            with about(ticket_id=ticket.ticket_id):
                logger.info("Published ticket %s", ticket.ticket_id)
    return {pk: Attempt(EventTicket.State.READY) for pk in done}


def _published(ticket: EventTicket, files: Files) -> dict[str, Any]:
    """What the ticket's row says of its files from now on."""
    local = ticket.local_files
    return {
        "qr_code": f"{files.qr_code.public_id}.{gateway.QR_CODE.extension}",
        "qr_code_cloudinary_id": files.qr_code.public_id,
        "qr_code_version": files.qr_code.version,
        "qr_code_etag": files.qr_code.etag,
        "qr_code_local": local.get(gateway.QR_CODE.name, ticket.qr_code_local),
        "pdf_ticket": f"{files.pdf_ticket.public_id}.{gateway.PDF_TICKET.extension}",
        "pdf_ticket_cloudinary_id": files.pdf_ticket.public_id,
        "pdf_ticket_version": files.pdf_ticket.version,
        "pdf_ticket_etag": files.pdf_ticket.etag,
        "pdf_ticket_local": local.get(gateway.PDF_TICKET.name, ticket.pdf_ticket_local),
        "published_generation": ticket.code_generation,
        "published_face": fingerprints.published_face(ticket),
        "published_suffix": ticket.public_id_suffix,
    }


def _settle_overtaken(ticket: EventTicket) -> EventTicket.State | None:
    """The files went up, but the wish that they answer is no longer the row's: it changed, or the ticket is gone."""
    row = EventTicket.objects.filter(pk=ticket.pk)
    # Also where the lease was lost: what went up last may be ours, and older than what the row says.
    again = row.update(
        state=EventTicket.State.PENDING, revision=F("revision") + 1, attempts=0, next_attempt_at=first_sweep()
    )
    row.filter(lease=ticket.lease).update(lease=None, lease_until=None)
    _owe_deletion_of_what_went_up(ticket)
    if again:
        queues.publish_soon([ticket.pk])
        return EventTicket.State.PENDING
    return None


def _owe_deletion_of_what_went_up(ticket: EventTicket) -> None:
    """The ticket is gone, or was re-issued, while its files went up: they may have been put back after the deletion
    that was owed with that.
    """
    row = EventTicket.objects.filter(pk=ticket.pk).only("public_id_suffix").first()
    if row is None:
        owe_deletion_of_files([ticket])
    elif row.public_id_suffix != ticket.public_id_suffix:
        owe_deletion_of_published_files([ticket])


def _record_failure(ticket: EventTicket, error: Exception, reason: str, *, retry: bool = True) -> Attempt:
    """Write down why it failed and when it is tried again: never, when trying again can't help."""
    retry = retry and ticket.attempts < settings.TICKET_MAX_ATTEMPTS
    wait = backoff(ticket.attempts) if retry else None
    logger.warning(NOT_PUBLISHED, ticket.ticket_id, reason)
    return _release(ticket, error, reason, wait, attempts=ticket.attempts)


def _record_fault_of_storage(ticket: EventTicket, error: gateway.MediaError) -> Attempt:
    """An outage, or wrong credentials: no fault of the ticket's, so it is tried until it succeeds, at last hourly.

    However long that takes, half of the attempts are left for what is the ticket's own fault.
    """
    most = settings.TICKET_MAX_ATTEMPTS // 2
    wait = backoff(ticket.attempts) if ticket.attempts <= most else longest_backoff()
    logger.warning(WAITS_FOR_STORAGE, ticket.ticket_id, wait, error)
    return _release(ticket, error, str(error), wait, attempts=min(ticket.attempts, most))


def _record_rate_limit(ticket: EventTicket, error: gateway.MediaError) -> Attempt:
    """A rate limit says nothing about the ticket, so the attempt doesn't count: no limit can use them all up."""
    wait = backoff(1, error.retry_after)
    logger.info("Ticket %s waits for the rate limit to be lifted, %s", ticket.ticket_id, wait)
    return _release(ticket, error, str(error), wait, attempts=ticket.attempts - 1)


def _release(ticket: EventTicket, error: Exception, reason: str, wait: timedelta | None, *, attempts: int) -> Attempt:
    ours = EventTicket.objects.filter(pk=ticket.pk, lease=ticket.lease)
    noted = ours.filter(revision=ticket.revision).update(
        state=EventTicket.State.FAILED,
        reason=reason[:500],
        next_attempt_at=None if wait is None else timezone.now() + wait,
        attempts=attempts,
    )
    ours.update(lease=None, lease_until=None)
    if not noted:
        _owe_deletion_of_what_went_up(ticket)
    if noted and wait is None:
        signals.ticket_failed.send(EventTicket, tickets=[ticket], reason=reason[:500])
    return Attempt(EventTicket.State.FAILED, error, is_last=wait is None)
