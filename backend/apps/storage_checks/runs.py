"""Run storage checks, one at a time: requested in the back office or started by the command.

The row shows the progress and keeps the results. The process that runs a check holds a lease on the row; once the
lease has run out, the next check can start.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.core.jobs.kinds import extend_lease
from apps.core.jobs.timing import LEASE
from apps.events.models import EventTicket
from apps.storage import gateway

from . import comparison
from .comparison import Finding
from .inventory import Inventory
from .models import Examination
from .problems import Problem as Problem

if TYPE_CHECKING:
    from apps.accounts.models import User

logger = logging.getLogger("apps.events.auditing.examinations")

KEPT_CHECKS = 50
EXAMPLES_PER_PROBLEM = 10
LISTING_SECONDS = 50.0  # in one task, so that a worker can shut down in between
HEARTBEAT_SECONDS = 1.0  # between two writes to the row while tickets are compared
State = Examination.State


def _abandoned(now: datetime) -> Q:
    return Q(lease_until=None) | Q(lease_until__lt=now)


class AlreadyRunningError(Exception):
    """Another check is running."""


class SupersededError(Exception):
    """The check lost its lease, because it wrote nothing for too long."""


def start(user: User | None = None) -> Examination:
    """Create the row of a check: queued if a user requested it, else running in the calling process.

    Raises AlreadyRunningError if another check is open and its lease has not run out.
    """
    now = timezone.now()
    Examination.objects.filter(_abandoned(now), is_open=True).update(
        is_open=None,
        lease=None,
        state=State.FAILED,
        finished_at=now,
        message="No worker took the check, or the worker died.",
    )
    try:
        with transaction.atomic():
            check = Examination.objects.create(
                asked_by=user,
                state=State.QUEUED if user else State.RUNNING,
                lease=uuid.uuid4(),
                lease_until=now + LEASE,
            )
    except IntegrityError as error:
        raise AlreadyRunningError(
            "A storage check is running already; the back office shows its progress. If its process died, another "
            f"can start {LEASE.seconds // 60} minutes after its last heartbeat."
        ) from error
    old = list(Examination.objects.order_by("-pk").values_list("pk", flat=True)[KEPT_CHECKS : 2 * KEPT_CHECKS])
    Examination.objects.filter(pk__in=old).delete()
    return check


def request(user: User) -> Examination:
    """Have a worker run a check. Raises AlreadyRunningError as `start` does."""
    with transaction.atomic():
        check = start(user)
        _enqueue(check.pk)
    return check


def last_finished() -> Examination | None:
    """Return the last check that was completed, or None."""
    return Examination.objects.filter(state=State.DONE).order_by("-pk").first()


def inventory_path() -> Path:
    """Return the path of this machine's listing of storage."""
    return Path(settings.VAR_DIR) / "doctor.sqlite3"


def _enqueue(pk: int) -> None:
    """Send the task after commit, to the queue for bulk work."""
    dispatch.send_after_commit("apps.events.tasks.examine", [pk], dispatch.BULK)


def run(pk: int) -> None:
    """Start or resume a check in a worker. Idempotent, also when several workers call it at once."""
    now = timezone.now()
    claimable = Q(state=State.QUEUED) | Q(_abandoned(now), state=State.RUNNING)
    claim = {"state": State.RUNNING, "lease": uuid.uuid4(), "lease_until": now + LEASE}
    if not Examination.objects.filter(claimable, pk=pk, is_open=True).update(**claim):
        return
    try:
        with recording(Examination.objects.get(pk=pk)) as record:
            _run(record)
    except SupersededError as error:
        logger.warning("A storage check ended early: %s", error)


def _run(record: Recorder) -> None:
    findings, quota = comparison.check_account()
    record.account(findings, quota)
    if comparison.prevents_listing(findings):
        record.finish(findings)
        return
    with Inventory(inventory_path()) as inventory:
        try:
            inventory.list_remaining(_time_limit(record, inventory))
        except _TimeLimitError:
            record.continue_in_another_task()
            return
        except gateway.MediaError as error:
            record.stop(_why_listing_stopped(error, len(inventory)))
            return
        found = list(comparison.compare(inventory, record.compared))
    record.finish(findings + found)


class _TimeLimitError(Exception):
    """The task has listed for LISTING_SECONDS."""


def _time_limit(record: Recorder, inventory: Inventory) -> Callable[[int], None]:
    ends_at = time.monotonic() + LISTING_SECONDS

    def on_page(files: int) -> None:
        record.listed(files)
        if time.monotonic() > ends_at and not inventory.is_complete:  # a complete one would be listed again
            raise _TimeLimitError

    return on_page


def _why_listing_stopped(error: gateway.MediaError, listed: int) -> str:
    if not error.is_rate_limit or error.retry_after is None:
        return f"{error} The listing so far is kept; start the check again."
    again = datetime.fromtimestamp(time.time() + error.retry_after, UTC)
    return (
        f"This hour's Admin API calls are used up; {listed} files are listed so far. "
        f"Start the check again after {again:%H:%M} UTC to continue."
    )


# -- Recording ---------------------------------------------------------------------------------------------------


@contextmanager
def recording(check: Examination) -> Iterator[Recorder]:
    """Record a check: if the block raises or does not finish it, the row is marked as failed."""
    record = Recorder(check)
    try:
        yield record
    except BaseException as error:
        record.fail(error)
        raise
    record.fail(None)


class Recorder:
    """Write the progress, results and heartbeats of a check. All methods but `fail` may raise SupersededError."""

    def __init__(self, check: Examination) -> None:
        self._check = check
        self._written_at = time.monotonic()
        self._compared = 0
        self._is_over = False

    def account(self, findings: Iterable[Finding], quota: gateway.Quota | None) -> None:
        ready = EventTicket.objects.filter(state=EventTicket.State.READY).count()
        known: dict[str, Any] = {"ready": ready, "pending": EventTicket.objects.pending().count()}
        if quota is not None:
            known |= {
                "quota_allowed": quota.allowed, "quota_left": quota.left, "quota_resets_at": quota.resets_at,
            }  # fmt: skip
        self._write(findings=grouped(findings), **known)

    def listed(self, files: int) -> None:
        self._write(listed=files)

    def compared(self) -> None:
        self._compared += 1
        if time.monotonic() - self._written_at > HEARTBEAT_SECONDS:
            self._write(compared=self._compared)

    def keep(self, findings: Iterable[Finding]) -> None:
        """Write the findings so far."""
        self._write(findings=grouped(findings), compared=self._compared)

    def finish(self, findings: Iterable[Finding], repaired: int = 0) -> None:
        self._end(State.DONE, findings=grouped(findings), compared=self._compared, repaired=repaired)

    def stop(self, why: str) -> None:
        """End the check early. The next one resumes the listing."""
        self._end(State.STOPPED, message=why[:500])

    def continue_in_another_task(self) -> None:
        """Queue the check again. The next task resumes the listing."""
        with transaction.atomic():
            self._write(state=State.QUEUED)
            _enqueue(self._check.pk)
        self._is_over = True

    def fail(self, error: BaseException | None) -> None:
        """Mark the check as failed, unless it is over. Without an error, it was interrupted."""
        if not self._is_over:
            words = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else "It was interrupted."
            extend_lease(
                self._check,
                state=State.FAILED, message=words[:500], is_open=None, finished_at=timezone.now(),
            )  # fmt: skip

    def _end(self, state: Examination.State, **values: Any) -> None:
        self._write(state=state, is_open=None, finished_at=timezone.now(), **values)
        self._is_over = True

    def _write(self, **values: Any) -> None:
        self._written_at = time.monotonic()
        if not extend_lease(self._check, **values):
            self._is_over = True
            raise SupersededError("The check lost its lease, because it wrote nothing for too long.")


def grouped(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Group the findings by problem, in the order of `Problem`, with their number and a few examples as text."""
    by_problem: dict[Problem, list[Finding]] = {}
    for finding in findings:
        by_problem.setdefault(finding.problem, []).append(finding)
    return [
        {
            "problem": problem.value,
            "count": len(by_problem[problem]),
            "examples": [str(finding)[:300] for finding in by_problem[problem][:EXAMPLES_PER_PROBLEM]],
        }
        for problem in Problem
        if problem in by_problem
    ]
