"""Kinds of jobs: claimed, settled, postponed, swept and counted in one way. Celery runs the tasks that do the work.

A worker claims jobs, does the work without a transaction, and settles the outcomes. It may die at any point: its lease
runs out, and a sweep sends the work again. Work must therefore be safe to repeat. Nothing here uses the network, but
for the broker after commit.
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
    """What became of a job when its outcome was written down."""

    DONE = "done"
    RETRIED = "retried"
    GIVEN_UP = "given_up"
    OVERTAKEN = "overtaken"  # requested anew, claimed by another worker after the lease ran out, or deleted


@dataclass(frozen=True, slots=True)
class Success:
    """The work is done. `values` are further columns to write."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled(Generic[J]):
    """A claimed job, the outcome of its attempt, what became of it, and the wait before it is retried."""

    job: J
    outcome: Success | Failure
    result: Result
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many jobs of a kind there are, and how old they are: in seconds, 0 when none is pending."""

    waiting: int  # for their first attempt
    retrying: int  # whose last attempt failed
    given_up: int
    leased: int  # of those waiting or retrying
    overdue: float  # since the most overdue one should have been tried
    oldest: float  # since the oldest one was requested


class Kind(Generic[J]):
    """One kind of job. Subclasses name the model, the task that does the work, and what differs from the usual."""

    name: ClassVar[str]  # the label of its metrics
    task: ClassVar[str]
    queue: ClassVar[str] = dispatch.BULK
    requested_at: ClassVar[str] = "created_at"  # the column that says since when
    counted: ClassVar[Q] = Q()  # the pending jobs that the backlog counts
    timed: ClassVar[Q] = Q()  # those of them whose delay says something about the workers
    claimed: ClassVar[Mapping[str, Any]] = {}  # columns that are written with a claim
    # Columns that are written with a result; None deletes the row.
    done: ClassVar[Mapping[str, Any] | None] = None
    retried: ClassVar[Mapping[str, Any]] = {}
    given_up: ClassVar[Mapping[str, Any] | None] = None

    policy: RetryPolicy = RetryPolicy()

    def __init__(self, model: type[J]) -> None:
        self.model = model

    @property
    def jobs(self) -> JobQuerySet[J]:
        rows: JobQuerySet[J] = self.model._default_manager.all()  # type: ignore[assignment]
        return rows

    # -- What a kind may do otherwise --

    def choose(self, due: JobQuerySet[J], number: int, now: datetime) -> list[int]:
        """Return the keys of up to `number` jobs to claim, their rows locked; the most overdue ones first."""
        rows = due.select_for_update(skip_locked=True, no_key=True).order_by("next_attempt_at", "pk")
        return list(rows.values_list("pk", flat=True)[:number])

    def load(self, claimed: JobQuerySet[J]) -> list[J]:
        """Return the jobs that were claimed, with what the work needs."""
        return list(claimed.order_by("next_attempt_at", "pk"))

    def lock_before_settling(self, jobs: Sequence[J]) -> None:
        """Lock rows which must be locked before those of the jobs."""

    def settled(self, settled: Sequence[Settled[J]]) -> None:
        """Do what follows from the results, in the transaction that writes them."""

    # -- The engine --

    def claim(self, number: int, now: datetime | None = None) -> list[J]:
        """Take a lease on up to `number` jobs that are due. Of any number of workers one gets each job."""
        return self._claim(lambda now: self.choose(self.jobs.due(now), number, now), now or timezone.now())

    def claim_these(self, pks: Sequence[int]) -> list[J]:
        """Take a lease on those of the jobs that are pending, due or not, and that no other worker has a lease on."""
        return self._claim(lambda now: self.jobs.pending().unclaimed(now).filter(pk__in=pks).locked(), timezone.now())

    def _claim(self, choose: Callable[[datetime], list[int]], now: datetime) -> list[J]:
        lease, until = uuid.uuid4(), now + LEASE
        with transaction.atomic():
            if not (pks := choose(now)):
                return []
            # `next_attempt_at` moves too: workers of the previous version look at it alone.
            self.model._base_manager.filter(pk__in=pks).update(
                lease=lease, lease_until=until, next_attempt_at=until, attempts=F("attempts") + 1, **self.claimed
            )
        return self.load(self.jobs.filter(pk__in=pks, lease=lease))

    def settle(self, outcomes: Sequence[tuple[J, Success | Failure]]) -> list[Settled[J]]:
        """Write down how the attempts at claimed jobs ended, in one transaction. Return what became of each."""
        ordered = sorted(outcomes, key=lambda outcome: outcome[0].pk)
        try:
            return self._settle(ordered)
        except OperationalError as error:  # such as a deadlock with a statement about many rows
            logger.warning("%d outcomes of %s are written down one by one: %s", len(ordered), self.name, error)
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
        noted = {"attempts": attempts, "reason": outcome.reason[:500], **outcome.values}
        if wait is not None:
            row.update(next_attempt_at=timezone.now() + wait, **noted, **RELEASED, **self.retried)
            return Settled(job, outcome, Result.RETRIED, wait)
        if self.given_up is None:
            row.delete()
        else:
            row.update(next_attempt_at=None, **noted, **RELEASED, **self.given_up)
        return Settled(job, outcome, Result.GIVEN_UP)

    def request(self, rows: JobQuerySet[J], due_at: datetime | Expression | None, **columns: Any) -> int:
        """Have the work of these rows done (again), with all attempts; for None, not before another request.

        Return how many rows there were.

        A worker that is at it has its outcome overtaken. The caller locks the rows if there are several.
        """
        return rows.update(revision=F("revision") + 1, attempts=0, next_attempt_at=due_at, reason="", **columns)

    def overtake(self, rows: JobQuerySet[J]) -> None:
        """Have workers that are at these jobs do the work again."""
        rows.update(revision=F("revision") + 1)

    def hasten(self, rows: JobQuerySet[J]) -> int:
        """Make pending jobs due now. Return how many."""
        now = timezone.now()
        return rows.pending().unclaimed(now).filter(next_attempt_at__gt=now).update(next_attempt_at=now)

    def postpone(self, pks: Sequence[int], seconds: float, now: datetime | None = None) -> None:
        """Leave jobs alone for a while: their work can't be done now, or was sent to a worker."""
        now = now or timezone.now()
        until = now + timedelta(seconds=seconds)
        waiting = self.jobs.pending().unclaimed(now).filter(pk__in=pks, next_attempt_at__lt=until)
        with transaction.atomic():
            self.model._base_manager.filter(pk__in=waiting.locked()).update(next_attempt_at=until)

    def give_up_stuck(self, now: datetime, reason: str) -> list[Settled[J]]:
        """Give up the jobs whose workers died with every attempt: what can't be tried without harm must end."""
        stuck = self.jobs.pending().filter(lease_until__lte=now, attempts__gte=self.policy.max_attempts)
        with transaction.atomic():
            failure = Failure(reason, is_final=True)
            locked = stuck.select_for_update(no_key=True).order_by("pk")
            given_up = [self._result_of(job, failure, [job.lease, job.revision]) for job in locked]
            if given_up:
                self.settled(given_up)
        return given_up

    def send(self) -> None:
        """Have a worker do what is due, after commit: one task, however often a transaction asks for it."""
        dispatch.send_once(self.task, self.queue)

    def sweep(self, now: datetime | None = None) -> None:
        """Send the task if work is due that no message may be left for."""
        if self.jobs.due(now or timezone.now()).exists():
            self.send()

    def backlog(self, now: datetime | None = None) -> Backlog:
        """Return how much work there is; two statements."""
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


def beat(row: Leased, **columns: Any) -> bool:
    """Extend the lease of a row that is being worked on, and write columns. False, and nothing, if it was lost."""
    until = timezone.now() + LEASE
    held = type(row)._base_manager.filter(pk=row.pk, lease=row.lease)
    return bool(held.update(lease_until=until, **columns))


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


_kinds: dict[str, Kind[Any]] = {}


def register(kind: Kind[Any]) -> None:
    """Have the kind counted. Called by the `ready()` of its app."""
    _kinds[kind.name] = kind


def registered() -> Iterator[Kind[Any]]:
    """Yield every kind, by name."""
    for name in sorted(_kinds):
        yield _kinds[name]


def queue_lengths() -> dict[str, int | None]:
    """Return how many tasks wait in each queue for a worker; None for every queue when the broker does not answer."""
    queues = sorted({dispatch.INTERACTIVE, dispatch.BULK, *(kind.queue for kind in registered())})
    lengths: dict[str, int | None] = {}
    for queue in queues:
        if (length := dispatch.tasks_waiting(queue)) is None:  # each further question would take the timeout again
            return dict.fromkeys(queues)
        lengths[queue] = length
    return lengths
