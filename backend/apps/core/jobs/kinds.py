"""The job engine: claim, settle, postpone, sweep and count the jobs of any kind. Celery runs the tasks.

A worker claims jobs, does the work outside of a transaction, and settles the outcomes. If it dies at any point, its
lease expires and a sweep sends the work again, so the work must be idempotent. Nothing here uses the network, except
to send tasks to the broker after commit.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic

from django.db import OperationalError, transaction
from django.db.models import Count, Expression, F, Min, Q
from django.utils import timezone

from apps.core.db.rows import update_rows

from . import dispatch
from .models import J, JobQuerySet, Leased
from .retries import Blame as Blame
from .retries import Failure as Failure
from .retries import RetryPolicy as RetryPolicy
from .timing import LEASE

logger = logging.getLogger(__name__)

RELEASED: Final[Mapping[str, Any]] = {"lease": None, "lease_until": None}
DONE: Final[Mapping[str, Any]] = {**RELEASED, "next_attempt_at": None, "reason": ""}


class Result(StrEnum):
    """The result of settling a job."""

    DONE = "done"
    RETRIED = "retried"
    GIVEN_UP = "given_up"
    OVERTAKEN = "overtaken"  # requested again, claimed by another worker after the lease expired, or deleted


@dataclass(frozen=True, slots=True)
class Success:
    """The work is done. `values` are further columns to write."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled(Generic[J]):
    """A claimed job, the outcome of its attempt, the result, and the wait before the next attempt, if any."""

    job: J
    outcome: Success | Failure
    result: Result
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """The size and age of the backlog of one kind of job. Ages are in seconds, 0 if no job is pending."""

    waiting: int  # for their first attempt
    retrying: int  # after a failed attempt
    given_up: int
    leased: int  # part of `waiting` and `retrying`
    overdue: float  # since the most overdue job was due
    oldest: float  # since the oldest job was requested


class Kind(Generic[J]):
    """One kind of job. Subclasses set the task that does the work, and override the defaults that differ."""

    name: ClassVar[str]  # the label of its metrics
    task: ClassVar[str]
    queue: ClassVar[str] = dispatch.BULK
    requested_at: ClassVar[str] = "created_at"  # the column with the time of the request
    counted: ClassVar[Q] = Q()  # which pending jobs the backlog counts
    timed: ClassVar[Q] = Q()  # which of the counted jobs measure the delay of the workers
    claimed: ClassVar[Mapping[str, Any]] = {}  # columns to write with a claim
    # Columns to write with a result; None deletes the row.
    done: ClassVar[Mapping[str, Any] | None] = None
    retried: ClassVar[Mapping[str, Any]] = {}
    given_up: ClassVar[Mapping[str, Any] | None] = None

    policy: RetryPolicy = RetryPolicy()

    def __init__(self, model: type[J]) -> None:
        self.model = model

    @property
    def jobs(self) -> JobQuerySet[J]:
        """Return all jobs of this kind, whatever their state."""
        rows: JobQuerySet[J] = self.model._default_manager.all()  # type: ignore[assignment]
        return rows

    # -- Hooks for subclasses --

    def choose(self, due: JobQuerySet[J], number: int, now: datetime) -> list[int]:
        """Lock up to `number` due jobs, the most overdue first, and return their primary keys."""
        rows = due.select_for_update(skip_locked=True, no_key=True).order_by("next_attempt_at", "pk")
        return list(rows.values_list("pk", flat=True)[:number])

    def load(self, claimed: JobQuerySet[J]) -> list[J]:
        """Fetch the claimed jobs with the related rows that the work needs."""
        return list(claimed.order_by("next_attempt_at", "pk"))

    def lock_before_settling(self, jobs: Sequence[J]) -> None:
        """Lock rows of other tables that must be locked before the jobs, to avoid deadlocks."""

    def settled(self, settled: Sequence[Settled[J]]) -> None:
        """React to the results, in the transaction that writes them."""

    # -- The engine --

    def claim(self, number: int, now: datetime | None = None) -> list[J]:
        """Lease up to `number` due jobs and return them. Safe against races: only one worker gets each job."""
        return self._claim(lambda now: self.choose(self.jobs.due(now), number, now), now or timezone.now())

    def claim_these(self, pks: Sequence[int]) -> list[J]:
        """Lease the pending jobs among these, due or not, unless another worker holds a lease. Return them."""
        return self._claim(lambda now: self.jobs.pending().unclaimed(now).filter(pk__in=pks).locked(), timezone.now())

    def _claim(self, choose: Callable[[datetime], list[int]], now: datetime) -> list[J]:
        lease, until = uuid.uuid4(), now + LEASE
        with transaction.atomic():
            if not (pks := choose(now)):
                return []
            # `next_attempt_at` moves too: workers of the previous version do not know `lease_until`.
            self.model._base_manager.filter(pk__in=pks).update(
                lease=lease, lease_until=until, next_attempt_at=until, attempts=F("attempts") + 1, **self.claimed
            )
        return self.load(self.jobs.filter(pk__in=pks, lease=lease))

    def settle(self, outcomes: Sequence[tuple[J, Success | Failure]]) -> list[Settled[J]]:
        """Write the outcomes of claimed jobs in one transaction, and return the results.

        If the transaction fails, for example by a deadlock, write each outcome in a transaction of its own. Raises
        OperationalError if that fails too.
        """
        ordered = sorted(outcomes, key=lambda outcome: outcome[0].pk)
        try:
            return self._settle(ordered)
        except OperationalError as error:
            logger.warning("%d outcomes of %s are written one by one: %s", len(ordered), self.name, error)
            return [settled for outcome in ordered for settled in self._settle([outcome])]

    @transaction.atomic
    def _settle(self, outcomes: Sequence[tuple[J, Success | Failure]]) -> list[Settled[J]]:
        self.lock_before_settling([job for job, _ in outcomes])
        rows = self.model._base_manager.filter(pk__in=[job.pk for job, _ in outcomes])
        locked = rows.select_for_update(no_key=True).order_by("pk")
        held = {pk: found for pk, *found in locked.values_list("pk", "lease", "revision")}
        settled = [self._result_of(job, outcome, held.get(job.pk)) for job, outcome in outcomes]
        done = {each.job.pk: each.outcome.values for each in settled if each.result is Result.DONE}
        if self.done is not None:
            update_rows(self.model, done, {**DONE, **self.done})
        elif done:
            rows.filter(pk__in=done).delete()
        self.settled(settled)
        return settled

    def _result_of(self, job: J, outcome: Success | Failure, held: list[Any] | None) -> Settled[J]:
        row = self.model._base_manager.filter(pk=job.pk)
        if held != [job.lease, job.revision]:
            row.filter(lease=job.lease).update(**RELEASED)
            return Settled(job, outcome, Result.OVERTAKEN)
        if isinstance(outcome, Success):
            return Settled(job, outcome, Result.DONE)
        attempts, wait = self.policy.after(job.attempts, outcome, job.deadline)
        columns = {"attempts": attempts, "reason": outcome.reason[:500], **outcome.values, **RELEASED}
        if wait is not None:
            row.update(next_attempt_at=timezone.now() + wait, **columns, **self.retried)
            return Settled(job, outcome, Result.RETRIED, wait)
        if self.given_up is None:
            row.delete()
        else:
            row.update(next_attempt_at=None, **columns, **self.given_up)
        return Settled(job, outcome, Result.GIVEN_UP)

    def request(self, rows: JobQuerySet[J], due_at: datetime | Expression | None, **columns: Any) -> int:
        """Request the work of these rows, again if it was done, with all attempts. Return the number of rows.

        With `due_at=None`, the jobs are not pending until another request. A worker that holds a lease on one of them
        has its outcome discarded (`Result.OVERTAKEN`). The caller locks the rows first if there are several.
        """
        return rows.update(revision=F("revision") + 1, attempts=0, next_attempt_at=due_at, reason="", **columns)

    def overtake(self, rows: JobQuerySet[J]) -> None:
        """Discard the outcomes of the workers that hold a lease on these jobs, so that the work is done again."""
        rows.update(revision=F("revision") + 1)

    def hasten(self, rows: JobQuerySet[J]) -> int:
        """Make pending jobs due now, except jobs that a worker holds. Return the number of changed rows."""
        now = timezone.now()
        return rows.pending().unclaimed(now).filter(next_attempt_at__gt=now).update(next_attempt_at=now)

    def postpone(self, pks: Sequence[int], seconds: float, now: datetime | None = None) -> None:
        """Make pending jobs due no earlier than in `seconds`, except jobs that a worker holds."""
        now = now or timezone.now()
        until = now + timedelta(seconds=seconds)
        waiting = self.jobs.pending().unclaimed(now).filter(pk__in=pks, next_attempt_at__lt=until)
        with transaction.atomic():
            self.model._base_manager.filter(pk__in=waiting.locked()).update(next_attempt_at=until)

    def give_up_stuck(self, now: datetime, reason: str) -> list[Settled[J]]:
        """Give up the jobs whose last attempt ended with an expired lease: they may be what kills the workers."""
        stuck = self.jobs.pending().filter(lease_until__lte=now, attempts__gte=self.policy.max_attempts)
        with transaction.atomic():
            failure = Failure(reason, is_final=True)
            locked = stuck.select_for_update(no_key=True).order_by("pk")
            given_up = [self._result_of(job, failure, [job.lease, job.revision]) for job in locked]
            if given_up:
                self.settled(given_up)
        return given_up

    def send(self) -> None:
        """Send the task after commit: once, however often a transaction asks for it."""
        dispatch.send_once(self.task, self.queue)

    def sweep(self, now: datetime | None = None) -> None:
        """Send the task if jobs are due, because the broker may have lost the message for them."""
        if self.jobs.due(now or timezone.now()).exists():
            self.send()

    def backlog(self, now: datetime | None = None) -> Backlog:
        """Return the size and age of the backlog, by two SQL statements."""
        now = now or timezone.now()
        counted = self.jobs.pending().filter(self.counted)
        pending = counted.aggregate(
            waiting=Count("pk", filter=Q(reason="")),
            retrying=Count("pk", filter=~Q(reason="")),
            leased=Count("pk", filter=Q(lease_until__gt=now)),
            due=Min("next_attempt_at", filter=self.timed),
            oldest=Min(self.requested_at, filter=self.timed),
        )
        overdue, oldest = _age(pending.pop("due"), now), _age(pending.pop("oldest"), now)
        return Backlog(given_up=self.jobs.given_up().count(), overdue=overdue, oldest=oldest, **pending)


def extend_lease(row: Leased, **columns: Any) -> bool:
    """Send a heartbeat: extend the lease on the row, and write these columns.

    Return False, with nothing written, if the lease was lost.
    """
    until = timezone.now() + LEASE
    held = type(row)._base_manager.filter(pk=row.pk, lease=row.lease)
    return bool(held.update(lease_until=until, **columns))


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


_kinds: dict[str, Kind[Any]] = {}


def register(kind: Kind[Any]) -> None:
    """Register the kind for metrics and the back office. Called by the `ready()` of its app."""
    _kinds[kind.name] = kind


def registered() -> Iterator[Kind[Any]]:
    """Yield the registered kinds, sorted by name."""
    for name in sorted(_kinds):
        yield _kinds[name]


def queue_lengths() -> dict[str, int | None]:
    """Return the number of tasks in each queue, or None for every queue if the broker does not answer."""
    queues = sorted({dispatch.INTERACTIVE, dispatch.BULK, *(kind.queue for kind in registered())})
    lengths: dict[str, int | None] = {}
    for queue in queues:
        if (length := dispatch.tasks_waiting(queue)) is None:  # asking for the others would time out as well
            return dict.fromkeys(queues)
        lengths[queue] = length
    return lengths
