"""Storage checks, one at a time: requested in the back office or begun by the command, and their results kept.

The row says how far it is. The process that examines holds its lease; a check whose lease ran out makes way for the
next one.
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

from . import doctor
from .doctor import Finding
from .inventory import Inventory
from .models import Examination
from .problems import Problem as Problem

if TYPE_CHECKING:
    from apps.accounts.models import User

logger = logging.getLogger("apps.events.auditing.examinations")

KEPT = 50  # examinations
EXAMPLES = 10  # of each problem
SLICE = 50.0  # seconds of listing in one task, so that a worker that is asked to stop can
PULSE = 1.0  # seconds between two signs of life
State = Examination.State


def _abandoned(now: datetime) -> Q:
    return Q(lease_until=None) | Q(lease_until__lt=now)


class UnderWayError(Exception):
    """Another examination is under way; the text says how far it is."""


class SupersededError(Exception):
    """This examination said nothing for so long that another took its place."""


def begin(user: User | None = None) -> Examination:
    """The one examination that may be under way from now on. Raises UnderWayError when there is one already."""
    now = timezone.now()
    Examination.objects.filter(_abandoned(now), is_open=True).update(
        is_open=None,
        lease=None,
        state=State.FAILED,
        finished_at=now,
        message="No worker took it, or its worker died on the way.",
    )
    try:
        with transaction.atomic():
            # The command is at it itself; what a person wishes for waits for a worker.
            examination = Examination.objects.create(
                asked_by=user,
                state=State.QUEUED if user else State.RUNNING,
                lease=uuid.uuid4(),
                lease_until=now + LEASE,
            )
    except IntegrityError as error:
        raise UnderWayError(
            "A storage check is under way already; the admin shows how far it is. If its process died, another "
            f"can begin {LEASE.seconds // 60} minutes after its last sign of life."
        ) from error
    old = list(Examination.objects.order_by("-pk").values_list("pk", flat=True)[KEPT : 2 * KEPT])
    Examination.objects.filter(pk__in=old).delete()
    return examination


def ask(user: User) -> Examination:
    """Have a worker examine. Raises UnderWayError."""
    with transaction.atomic():
        examination = begin(user)
        _examine_soon(examination.pk)
    return examination


def last_finished() -> Examination | None:
    """The last examination that came to an end, with its findings."""
    return Examination.objects.filter(state=State.DONE).order_by("-pk").first()


def inventory_path() -> Path:
    """Where this machine keeps what it has listed."""
    return Path(settings.VAR_DIR) / "doctor.sqlite3"


def _examine_soon(examination_pk: int) -> None:
    """Have storage compared with the database after commit, behind the work for tickets."""
    dispatch.send_after_commit("apps.events.tasks.examine", [examination_pk], dispatch.BULK)


def examine(pk: int) -> None:
    """In a worker: examine as was wished, or go on with it. Safe to run any number of times at once."""
    now = timezone.now()
    waiting = Q(state=State.QUEUED) | Q(_abandoned(now), state=State.RUNNING)
    taken = {"state": State.RUNNING, "lease": uuid.uuid4(), "lease_until": now + LEASE}
    if not Examination.objects.filter(waiting, pk=pk, is_open=True).update(**taken):
        return
    try:
        with recording(Examination.objects.get(pk=pk)) as record:
            _examine(record)
    except SupersededError as error:
        logger.warning("A storage check ended early: %s", error)


def _examine(record: Recorder) -> None:
    findings, quota = doctor.examine_account()
    record.account(findings, quota)
    if doctor.prevents_listing(findings):
        record.finish(findings)
        return
    with Inventory(inventory_path()) as inventory:
        try:
            inventory.take(_for_a_while(record, inventory))
        except _SliceOver:
            record.hand_on()
            return
        except gateway.MediaError as error:
            record.stop(_why_listing_stopped(error, len(inventory)))
            return
        found = list(doctor.examine(inventory, record.compared))
    record.finish(findings + found)


class _SliceOver(Exception):
    """The time that one task may list for is over."""


def _for_a_while(record: Recorder, inventory: Inventory) -> Callable[[int], None]:
    ends_at = time.monotonic() + SLICE

    def on_page(files: int) -> None:
        record.listed(files)
        if time.monotonic() > ends_at and not inventory.is_complete:  # who finds it complete begins a new one
            raise _SliceOver

    return on_page


def _why_listing_stopped(error: gateway.MediaError, listed: int) -> str:
    if not error.is_rate_limit or error.retry_after is None:
        return f"{error} What was listed is kept; start it again."
    again = datetime.fromtimestamp(time.time() + error.retry_after, UTC)
    return (
        f"This hour's Admin API calls are used up; {listed} files are listed so far. "
        f"Start it again after {again:%H:%M} UTC to go on."
    )


# -- Writing down ------------------------------------------------------------------------------------------------


@contextmanager
def recording(examination: Examination) -> Iterator[Recorder]:
    """However the block ends, the row says so."""
    record = Recorder(examination)
    try:
        yield record
    except BaseException as error:
        record.fail(error)
        raise
    record.fail(None)


class Recorder:
    """Writes down how an examination goes, and signs of life between. Raises SupersededError."""

    def __init__(self, examination: Examination) -> None:
        self._examination = examination
        self._pulse_at = time.monotonic()
        self._compared = 0
        self._is_over = False

    def account(self, findings: Iterable[Finding], quota: gateway.Quota | None) -> None:
        ready = EventTicket.objects.filter(state=EventTicket.State.READY).count()
        known: dict[str, Any] = {"ready": ready, "owed": EventTicket.objects.pending().count()}
        if quota is not None:
            known |= {
                "quota_allowed": quota.allowed, "quota_left": quota.left, "quota_resets_at": quota.resets_at,
            }  # fmt: skip
        self._write(findings=grouped(findings), **known)

    def listed(self, files: int) -> None:
        self._write(listed=files)

    def compared(self) -> None:
        self._compared += 1
        if time.monotonic() - self._pulse_at > PULSE:
            self._write(compared=self._compared)

    def keep(self, findings: Iterable[Finding]) -> None:
        """What is known so far."""
        self._write(findings=grouped(findings), compared=self._compared)

    def finish(self, findings: Iterable[Finding], repaired: int = 0) -> None:
        self._end(State.DONE, findings=grouped(findings), compared=self._compared, repaired=repaired)

    def stop(self, why: str) -> None:
        """For now: what was listed is kept, and another goes on with it."""
        self._end(State.STOPPED, message=why[:500])

    def hand_on(self) -> None:
        """To another task, which goes on with the listing."""
        with transaction.atomic():
            self._write(state=State.QUEUED)
            _examine_soon(self._examination.pk)
        self._is_over = True

    def fail(self, error: BaseException | None) -> None:
        """Unless it has come to its end."""
        if not self._is_over:
            words = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else "It was interrupted."
            extend_lease(
                self._examination,
                state=State.FAILED, message=words[:500], is_open=None, finished_at=timezone.now(),
            )  # fmt: skip

    def _end(self, state: Examination.State, **values: Any) -> None:
        self._write(state=state, is_open=None, finished_at=timezone.now(), **values)
        self._is_over = True

    def _write(self, **values: Any) -> None:
        self._pulse_at = time.monotonic()
        if not extend_lease(self._examination, **values):
            self._is_over = True
            raise SupersededError("It said nothing for so long that another took its place.")


def grouped(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings by their problems, in the order in which those are told: counts, and a few examples in words."""
    by_problem: dict[Problem, list[Finding]] = {}
    for finding in findings:
        by_problem.setdefault(finding.problem, []).append(finding)
    return [
        {
            "problem": problem.value,
            "count": len(by_problem[problem]),
            "examples": [str(finding)[:300] for finding in by_problem[problem][:EXAMPLES]],
        }
        for problem in Problem
        if problem in by_problem
    ]
