"""Import legacy tickets from local storage to Cloudinary, as planned by `plans.py`.

An import is not a re-issue: the new files carry the signed code, and the printed code stays valid besides it. Each
ticket is saved as soon as it is done, so a run is idempotent: after a crash, start it again. A local file is deleted
only after its code was accepted and its replacement was fetched back and scanned. Tickets go through the publishing
pipeline, as new ones do.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace

from django.core.exceptions import SuspiciousOperation
from django.utils import timezone

from apps.core.db.chunks import in_chunks
from apps.core.parallel import in_parallel
from apps.core.telemetry.context import ContextThreadPool
from apps.events import codes, ticket_columns
from apps.events.models import EventTicket, TicketCode
from apps.publishing import requests, verification
from apps.publishing.pipeline import Pipeline
from apps.storage.gateway import MediaError
from ticketkit import RenderingError

from .legacy_files import FileStatus
from .plans import Action, Outcome, Plan, Selection, TicketResult, plan_one
from .retry import MAX_ATTEMPTS, Retrier, wait_after

PLANNER_THREADS = 2  # read local files ahead
MAX_CONSECUTIVE_FAILURES = 25  # of tickets, each after several attempts; then the run ends
POLL_SECONDS = 1.0  # between two looks at a ticket that another worker has leased, and at the rate limit


def apply(
    plans: Iterable[Plan], selection: Selection, workers: int = 1, retrier: Retrier | None = None
) -> Iterator[TicketResult]:
    """Carry out the plans, at most `workers` tickets and storage calls at once, and yield each result as it is done.

    Yield failures as results, never raise them. Wait for tickets that another worker has leased until the lease has
    run out. Stop after a result that `stops_run`, once the calls in flight have finished.
    """
    with ContextThreadPool(workers, thread_name_prefix="import") as executor:
        yield from _Run(selection, workers, retrier or Retrier(), executor).results(iter(plans))


def import_all(selection: Selection, workers: int = 1, retrier: Retrier | None = None) -> Iterator[TicketResult]:
    """Plan and import every ticket of the selection."""
    found = in_chunks(selection.tickets(), selection.limit)
    plans = in_parallel(lambda ticket: plan_one(ticket, selection), found, min(workers, PLANNER_THREADS))
    yield from apply(plans, selection, workers, retrier)


class _Run:
    """The state of one run. Only the caller's thread uses the database; the executor's threads call storage."""

    def __init__(self, selection: Selection, workers: int, retrier: Retrier, executor: Executor) -> None:
        self._selection = selection
        self._retrier = retrier
        self._executor = executor
        self._pipeline = Pipeline(executor, workers, verification.verify_upload)
        self._in_flight: dict[int, Plan] = {}
        self._later: list[tuple[float, int, Plan]] = []  # a heap by time; the ticket's key breaks ties
        self._failures: Counter[int] = Counter()  # of tickets that will be retried
        self._consecutive_failures = 0
        self._is_stopping = False

    def results(self, plans: Iterator[Plan]) -> Iterator[TicketResult]:
        """Yield a result for every plan, until the run stops. Finish the uploads in flight in any case."""
        try:
            while True:
                batch = self._next_batch(plans)
                if batch and not self._pipeline.is_busy:
                    self._retrier.wait_for_rate_limit()
                elif not batch and not self._pipeline.is_busy:
                    if self._is_stopping or not self._later:
                        return
                    time.sleep(min(max(0.0, self._later[0][0] - time.monotonic()), POLL_SECONDS))
                for result in itertools.chain(self._begin(batch), self._collect()):
                    yield self._counted(result)
        finally:
            while self._pipeline.is_busy:
                self._pipeline.collect()

    def _counted(self, result: TicketResult) -> TicketResult:
        if not result.is_local:  # a problem with one ticket's local files says nothing about the others
            self._consecutive_failures = self._consecutive_failures + 1 if result.outcome is Outcome.FAILED else 0
        stops_run = result.stops_run or self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES
        self._is_stopping = self._is_stopping or stops_run
        return replace(result, stops_run=stops_run)

    def _next_batch(self, plans: Iterator[Plan]) -> list[Plan]:
        is_rate_limited = self._retrier.held_for() > 0  # ask even if there is no room, so that a new limit is reported
        room = self._pipeline.room()
        if self._is_stopping or not room or (is_rate_limited and self._pipeline.is_busy):
            return []
        batch: list[Plan] = []
        while self._later and self._later[0][0] <= time.monotonic() and len(batch) < room:
            batch += self._plan_again(heapq.heappop(self._later)[2])
        if len(self._failures) < MAX_CONSECUTIVE_FAILURES:  # backpressure: start no others while so many are retried
            batch += itertools.islice(plans, room - len(batch))
        return batch

    def _plan_again(self, planned: Plan) -> list[Plan]:
        """Return the plan for the ticket's current state, or none if another worker has done everything."""
        if planned.ticket.pk in self._failures:
            return [planned]
        ticket = self._selection.tickets().filter(pk=planned.ticket.pk).first()
        return [] if ticket is None else [plan_one(ticket, self._selection)]

    def _begin(self, batch: list[Plan]) -> Iterator[TicketResult]:
        batch = _with_codes_accepted(batch)
        yield from (_result_of_acceptance(planned) for planned in batch if planned.action is Action.ACCEPT_CODE)
        batch = [planned for planned in batch if planned.action is not Action.ACCEPT_CODE]
        idle = [planned for planned in batch if not _is_leased(planned.ticket)]
        to_publish = [planned for planned in idle if planned.action is not Action.DELETE_LOCAL]
        new = [
            planned for planned in to_publish if planned.ticket.pk not in self._failures and _needs_publication(planned)
        ]
        requested = requests.request_own_files([planned.ticket for planned in new])
        refused = [planned for planned in new if planned.ticket.pk not in requested]
        wanted = {planned.ticket.pk: planned for planned in to_publish if planned not in refused}
        claimed = {pk: wanted[pk] for pk in self._pipeline.begin(list(wanted))} if wanted else {}
        self._in_flight |= claimed
        for planned in refused:
            yield TicketResult(planned, Outcome.OVERTAKEN, "the ticket was deleted or re-issued meanwhile")
        for planned in batch:
            if _is_leased(planned.ticket) or planned.ticket.pk in wanted.keys() - claimed.keys():
                yield from self._wait_or_finish(planned)
        to_delete = [planned for planned in idle if planned.action is Action.DELETE_LOCAL]
        errors = list(self._executor.map(self._verification_error, to_delete))
        for planned, error in zip(to_delete, errors, strict=True):
            yield _delete_if_replaced(planned, error)

    def _collect(self) -> Iterator[TicketResult]:
        for pk, attempt in self._pipeline.collect(POLL_SECONDS).items():
            planned = self._in_flight.pop(pk)
            if attempt.state in (None, EventTicket.State.PENDING):
                yield from self._wait_or_finish(planned)
            elif attempt.error is None:
                del self._failures[pk]
                outcome = Outcome.IMPORTED if planned.local.status.keeps_code else Outcome.RERENDERED
                if self._selection.delete_local and planned.local.is_replaceable:
                    yield _delete_local_files(planned, EventTicket.objects.get(pk=pk), outcome)
                else:
                    yield TicketResult(planned, outcome)
            elif not self._retry_later(planned, attempt.error):
                del self._failures[pk]
                yield _failed(planned, attempt.error)

    def _retry_later(self, planned: Plan, error: Exception) -> bool:
        """Schedule a retry, unless it would not help or the attempts are used up. Return whether there is one."""
        if not isinstance(error, MediaError) or not error.is_temporary or self._is_stopping:
            return False
        pk = planned.ticket.pk
        self._failures[pk] += 0 if error.is_rate_limit else 1  # the ticket did not cause a rate limit
        if self._failures[pk] >= MAX_ATTEMPTS:
            return False
        wait = 0.0 if error.is_rate_limit else wait_after(self._failures[pk])
        heapq.heappush(self._later, (time.monotonic() + wait, pk, planned))
        return True

    def _wait_or_finish(self, planned: Plan) -> Iterator[TicketResult]:
        """Poll a ticket that another worker is publishing. Yield a result once it is published or deleted."""
        row = EventTicket.objects.filter(pk=planned.ticket.pk).first()
        if row is not None and row.state != EventTicket.State.READY:
            del self._failures[row.pk]
            heapq.heappush(self._later, (time.monotonic() + POLL_SECONDS, row.pk, planned))
            return
        why = "the ticket was deleted meanwhile" if row is None else "another worker published it meanwhile"
        yield TicketResult(planned, Outcome.OVERTAKEN, why)

    def _verification_error(self, planned: Plan) -> MediaError | None:
        try:
            self._retrier.call(lambda: verification.verify_published(planned.ticket))
        except MediaError as error:
            return error
        return None


# -- One ticket --------------------------------------------------------------------------------------------------


def _needs_publication(planned: Plan) -> bool:
    """Return whether publication must still be requested: an interrupted run may have done it already."""
    return planned.action is not Action.IMPORT or planned.ticket.next_attempt_at is None


def _with_codes_accepted(batch: list[Plan]) -> list[Plan]:
    """Accept the printed codes of the tickets. Return the plans, updated where a text belongs to other tickets too.

    Such a text is invalid from now on. Files from before codes were signed may carry it: re-render their tickets.
    """
    texts = {planned.ticket: planned.local.texts for planned in batch if planned.local.texts}
    outcome = codes.accept(texts, TicketCode.Source.PICTURE)
    requests.rerender_many(EventTicket.objects.filter(pk__in=outcome.outdated))
    return [
        replace(planned, local=planned.local.shared_with(others))
        if (others := outcome.shared.get(planned.ticket.pk)) is not None
        else planned
        for planned in batch
    ]


def _result_of_acceptance(planned: Plan) -> TicketResult:
    """Return the result for a ticket that an earlier run imported without accepting its printed code."""
    accepted = planned.local.status is FileStatus.PRINTED_CODE
    return TicketResult(planned, Outcome.CODE_ACCEPTED if accepted else Outcome.LEFT_ALONE)


def _is_leased(ticket: EventTicket) -> bool:
    return ticket.lease_until is not None and ticket.lease_until > timezone.now()


def _failed(planned: Plan, error: Exception) -> TicketResult:
    if isinstance(error, MediaError):
        return TicketResult(planned, Outcome.FAILED, str(error), error.is_misconfiguration)
    if isinstance(error, RenderingError):
        return TicketResult(planned, Outcome.FAILED, str(error))
    return TicketResult(planned, Outcome.FAILED, f"{type(error).__name__}: {error}", is_logged=True)


def _delete_if_replaced(planned: Plan, error: MediaError | None) -> TicketResult:
    """Delete the local files of a ticket that an earlier run imported, unless its new files failed to verify."""
    if error is not None:
        return _failed(planned, error)
    if not planned.local.is_replaceable:
        return TicketResult(planned, Outcome.LOCAL_KEPT)
    return _delete_local_files(planned, planned.ticket, Outcome.LOCAL_DELETED)


def _delete_local_files(planned: Plan, ticket: EventTicket, success: Outcome) -> TicketResult:
    """Delete the local files, whose replacements are verified. The outcome is `success` if all could be deleted.

    Delete the file before its name is removed from the row: after a crash in between, the next run finds the file
    missing and removes the name. The names come from a legacy database, so they may lead out of the media folder.
    """
    errors, were_there = [], False
    for kind, name in ticket.local_files.items():
        try:
            were_there = ticket.qr_code.storage.exists(name) or were_there
            ticket.qr_code.storage.delete(name)
        except SuspiciousOperation:
            errors.append(
                f"{name} was not deleted, as it lies outside MEDIA_ROOT; does MEDIA_ROOT name the old folder?"
            )
        except OSError as error:
            errors.append(f"{name} was not deleted: {error}")
        else:
            ticket_columns.forget_local_file(ticket, kind, name)
    if errors:
        words = f"Its files are on Cloudinary, but the local {'; '.join(errors)}"
        return TicketResult(planned, Outcome.FAILED, words, is_local=True)
    if success is Outcome.LOCAL_DELETED and not were_there:
        return TicketResult(planned, Outcome.LOCAL_GONE)
    return TicketResult(planned, success)
