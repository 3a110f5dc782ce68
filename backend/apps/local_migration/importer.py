"""Moves tickets from the local storage of old to Cloudinary: `plans.py` says what is to be done, this does it.

Moving is not re-issuing: the new files carry the signed code, and what was printed stays valid besides it. Every ticket
is saved when it is done, so a run that dies is continued by starting it again. No file is deleted before its code is
accepted and its successor was fetched back and scanned. Tickets go through the pipeline that publishes new ones.
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

from .legacy_files import Finding, LocalFile
from .plans import Action, Outcome, Plan, Result, Selection, plan_one
from .retry import ATTEMPTS, Pace, wait_after

PLANNERS = 2  # threads that read local files ahead
HOPELESS = 25  # failures in a row, each after several attempts, that end a run
POLL_SECONDS = 1.0  # seconds between two looks at a ticket that somebody else is at, and at the gate


def apply(plans: Iterable[Plan], selection: Selection, workers: int = 1, pace: Pace | None = None) -> Iterator[Result]:
    """Do what was planned, `workers` tickets and calls at once; results come as they are done.

    Failures are answered, not raised. Tickets that another worker is at are waited for, until its lease has run out.
    Ends early after a result that `stops_run`: the others would fail likewise. What is under way then is finished.
    """
    with ContextThreadPool(workers, thread_name_prefix="moving") as executor:
        yield from _Run(selection, workers, pace or Pace(), executor).results(iter(plans))


def move(selection: Selection, workers: int = 1, pace: Pace | None = None) -> Iterator[Result]:
    """Plan and apply for every ticket of the selection."""
    found = in_chunks(selection.tickets(), selection.limit)
    plans = in_parallel(lambda ticket: plan_one(ticket, selection), found, min(workers, PLANNERS))
    yield from apply(plans, selection, workers, pace)


class _Run:
    """The tickets of one run on their way. All of the database is the caller's thread's; the executor calls storage."""

    def __init__(self, selection: Selection, workers: int, pace: Pace, executor: Executor) -> None:
        self._selection = selection
        self._pace = pace
        self._executor = executor
        self._pipeline = Pipeline(executor, workers, verification.verify_upload)
        self._under_way: dict[int, Plan] = {}
        self._later: list[tuple[float, int, Plan]] = []  # a heap: when to look again, the ticket's key
        self._failures: Counter[int] = Counter()  # of tickets that are tried again
        self._failed_in_a_row = 0
        self._is_over = False

    def results(self, plans: Iterator[Plan]) -> Iterator[Result]:
        try:
            while True:
                batch = self._next_batch(plans)
                if batch and not self._pipeline.is_busy:
                    self._pace.wait()
                elif not batch and not self._pipeline.is_busy:
                    if self._is_over or not self._later:
                        return
                    time.sleep(min(max(0.0, self._later[0][0] - time.monotonic()), POLL_SECONDS))
                for result in itertools.chain(self._begin(batch), self._collect()):
                    yield self._counted(result)
        finally:
            while self._pipeline.is_busy:
                self._pipeline.collect()

    def _counted(self, result: Result) -> Result:
        if not result.is_local:  # what is wrong with one ticket's local files says nothing about the others
            self._failed_in_a_row = self._failed_in_a_row + 1 if result.outcome is Outcome.FAILED else 0
        hopeless = result.stops_run or self._failed_in_a_row >= HOPELESS
        self._is_over = self._is_over or hopeless
        return replace(result, stops_run=hopeless)

    def _next_batch(self, plans: Iterator[Plan]) -> list[Plan]:
        is_held = self._pace.held_for() > 0  # which is told, also while there is no room
        room = self._pipeline.room()
        if self._is_over or not room or (is_held and self._pipeline.is_busy):
            return []
        batch: list[Plan] = []
        while self._later and self._later[0][0] <= time.monotonic() and len(batch) < room:
            batch += self._look_again(heapq.heappop(self._later)[2])
        if len(self._failures) < HOPELESS:  # while so many fail, no others are begun
            batch += itertools.islice(plans, room - len(batch))
        return batch

    def _look_again(self, planned: Plan) -> list[Plan]:
        """The ticket's plan of now; none when somebody else has done all that was to do."""
        if planned.ticket.pk in self._failures:
            return [planned]
        ticket = self._selection.tickets().filter(pk=planned.ticket.pk).first()
        return [] if ticket is None else [plan_one(ticket, self._selection)]

    def _begin(self, batch: list[Plan]) -> Iterator[Result]:
        batch = _with_codes_accepted(batch)
        yield from (_accepted(planned) for planned in batch if planned.action is Action.ACCEPT_CODE)
        batch = [planned for planned in batch if planned.action is not Action.ACCEPT_CODE]
        idle = [planned for planned in batch if not _is_leased(planned.ticket)]
        moved = [planned for planned in idle if planned.action is not Action.DELETE_LOCAL]
        new = [planned for planned in moved if planned.ticket.pk not in self._failures and _needs_publication(planned)]
        noted = requests.request_own_files([planned.ticket for planned in new])
        refused = [planned for planned in new if planned.ticket.pk not in noted]
        wanted = {planned.ticket.pk: planned for planned in moved if planned not in refused}
        claimed = {pk: wanted[pk] for pk in self._pipeline.begin(list(wanted))} if wanted else {}
        self._under_way |= claimed
        for planned in refused:
            yield Result(planned, Outcome.OVERTAKEN, "the ticket was deleted or re-issued meanwhile")
        for planned in batch:
            if _is_leased(planned.ticket) or planned.ticket.pk in wanted.keys() - claimed.keys():
                yield from self._settle(planned)
        left_behind = [planned for planned in idle if planned.action is Action.DELETE_LOCAL]
        errors = list(self._executor.map(self._error_of_verification, left_behind))
        for planned, error in zip(left_behind, errors, strict=True):
            yield _delete_left_behind(planned, error)

    def _collect(self) -> Iterator[Result]:
        for pk, attempt in self._pipeline.collect(POLL_SECONDS).items():
            planned = self._under_way.pop(pk)
            if attempt.state in (None, EventTicket.State.PENDING):
                yield from self._settle(planned)
            elif attempt.error is None:
                del self._failures[pk]
                made = Outcome.MOVED if planned.local.finding.keeps_code else Outcome.RENEWED
                if self._selection.delete_local and _is_replaced(planned.local):
                    yield _delete_local_files(planned, EventTicket.objects.get(pk=pk), made)
                else:
                    yield Result(planned, made)
            elif not self._try_later(planned, attempt.error):
                del self._failures[pk]
                yield _failed(planned, attempt.error)

    def _try_later(self, planned: Plan, error: Exception) -> bool:
        if not isinstance(error, MediaError) or not error.is_temporary or self._is_over:
            return False
        pk = planned.ticket.pk
        self._failures[pk] += 0 if error.is_rate_limit else 1  # rate limits say nothing about the ticket
        if self._failures[pk] >= ATTEMPTS:
            return False
        wait = 0.0 if error.is_rate_limit else wait_after(self._failures[pk])
        heapq.heappush(self._later, (time.monotonic() + wait, pk, planned))
        return True

    def _settle(self, planned: Plan) -> Iterator[Result]:
        """The ticket's files were not made here: others have them in hand, have made them, or deleted the ticket."""
        row = EventTicket.objects.filter(pk=planned.ticket.pk).first()
        if row is not None and row.state != EventTicket.State.READY:
            del self._failures[row.pk]
            heapq.heappush(self._later, (time.monotonic() + POLL_SECONDS, row.pk, planned))
            return
        why = "the ticket was deleted meanwhile" if row is None else "another worker made its files meanwhile"
        yield Result(planned, Outcome.OVERTAKEN, why)

    def _error_of_verification(self, planned: Plan) -> MediaError | None:
        try:
            self._pace.keep_trying(lambda: verification.verify_published(planned.ticket))
        except MediaError as error:
            return error
        return None


# -- One ticket --------------------------------------------------------------------------------------------------


def _needs_publication(planned: Plan) -> bool:
    """Whether the row doesn't say yet what is wanted: an earlier run may have noted it, and died."""
    return planned.action is not Action.MOVE or planned.ticket.next_attempt_at is None


def _with_codes_accepted(batch: list[Plan]) -> list[Plan]:
    """Accept what was printed for the tickets, and answer their plans, which know now what other tickets have too.

    Files that were made before all were signed may carry a text that is void from here on, and are made anew.
    """
    texts = {planned.ticket: planned.local.texts for planned in batch if planned.local.texts}
    outcome = codes.accept(texts, TicketCode.Source.PICTURE)
    requests.rerender_many(EventTicket.objects.filter(pk__in=outcome.outdated))
    return [
        replace(planned, local=planned.local.shared_with(rivals))
        if (rivals := outcome.shared.get(planned.ticket.pk)) is not None
        else planned
        for planned in batch
    ]


def _accepted(planned: Plan) -> Result:
    """What became of a ticket that was moved before, when only its printed code was still to be accepted."""
    accepted = planned.local.finding is Finding.PRINTED_CODE
    return Result(planned, Outcome.CODE_ACCEPTED if accepted else Outcome.LEFT_ALONE)


def _is_leased(ticket: EventTicket) -> bool:
    return ticket.lease_until is not None and ticket.lease_until > timezone.now()


def _failed(planned: Plan, error: Exception) -> Result:
    if isinstance(error, MediaError):
        return Result(planned, Outcome.FAILED, str(error), error.is_misconfiguration)
    if isinstance(error, RenderingError):
        return Result(planned, Outcome.FAILED, str(error))
    return Result(planned, Outcome.FAILED, f"{type(error).__name__}: {error}", is_logged=True)


def _delete_left_behind(planned: Plan, error: MediaError | None) -> Result:
    """Delete the local files of a ticket that was moved before, if what is on Cloudinary can take their place."""
    if error is not None:
        return _failed(planned, error)
    if not _is_replaced(planned.local):
        return Result(planned, Outcome.LOCAL_KEPT)
    return _delete_local_files(planned, planned.ticket, Outcome.LOCAL_DELETED)


def _is_replaced(local: LocalFile) -> bool:
    """Whether a verified file takes the place of the local one; what turned out to be something else is evidence."""
    return local.finding.is_expected or local.finding is Finding.MISSING


def _delete_local_files(planned: Plan, ticket: EventTicket, done: Outcome) -> Result:
    """Delete what verified files have replaced: `done`, unless one of them can't be deleted.

    Deleted first, forgotten then: who dies in between finds the file missing, and forgets it the next time. The names
    come from the database of old, so they may lead out of the media folder.
    """
    errors, were_there = [], False
    for kind, name in ticket.local_files.items():
        try:
            were_there = ticket.qr_code.storage.exists(name) or were_there
            ticket.qr_code.storage.delete(name)
        except SuspiciousOperation:
            errors.append(f"{name} was not deleted, as it lies outside MEDIA_ROOT; does that name the folder of old?")
        except OSError as error:
            errors.append(f"{name} was not deleted: {error}")
        else:
            ticket_columns.forget_local_file(ticket, kind, name)
    if errors:
        words = f"Its files are on Cloudinary, but the local {'; '.join(errors)}"
        return Result(planned, Outcome.FAILED, words, is_local=True)
    if done is Outcome.LOCAL_DELETED and not were_there:
        return Result(planned, Outcome.LOCAL_GONE)
    return Result(planned, done)
