"""Run the chaos scenario: sellers, workers, beat and cloudlet as processes, and the failures inflicted on them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any
from unittest import mock
from uuid import UUID

from apps.core.jobs import timing
from apps.events.models import EventTicket
from apps.publishing import deletions, invalidation
from cloudlet.testing import RunningCloudlet
from tests.brokers import Broker
from tests.factories import make_endpoint, make_event
from tests.storage_calls import StorageCalls
from tests.workers import set_faults, start_python, stop, wait_until, worker_arguments

from . import haste, verdict
from .haste import LEASE_SECONDS, LEASE_VARIABLE
from .outside import outside
from .people import People

FAULTS: list[dict[str, object]] = [
    {"call": "upload_api", "kind": "error", "status": 500, "rate": 0.10},
    {"call": "upload_api", "kind": "drop_after", "rate": 0.05},
    {"call": "upload_api", "kind": "latency", "p50": 30, "p99": 200},
]
OUTAGE: list[dict[str, object]] = [{"call": "upload_api", "kind": "drop_before"}]
NEVER = 10 * 365 * 24 * 3600.0  # seconds of a lease that does not run out
SALE = 0.7  # share of the time of failures; the rest of it hits tickets that are pending or ready
QUEUES = "interactive,bulk,webhooks"


@dataclass
class Chaos:
    """One run. `report` counts the actions and their results, `uploads` the calls that cloudlet received.

    Negative controls: without `has_sweep` there is no beat, without `has_lease` no lease runs out.
    """

    server: RunningCloudlet
    broker: Broker
    seed: int
    tickets: int = 100
    issuers: int = 2
    workers: int = 2
    pool: str = "solo"
    seconds: float = 8.0  # of failures
    kills: int = 2
    restarts: int = 1
    edits: int = 1
    changes: int = 2  # rounds of edits by people ...
    some: int = 4  # ... of so many tickets each
    outage_seconds: float = 2.0
    lease_seconds: float = LEASE_SECONDS
    has_sweep: bool = True
    has_lease: bool = True
    tell: Callable[[str], None] = lambda line: None
    log: IO[bytes] | None = None  # for the error output of the processes; by default that of this process
    report: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)

    def run(self, timeout_seconds: float) -> list[str]:
        """Run the scenario, wait until no job is pending, and return the errors that are found."""
        self._chance = random.Random(self.seed)  # noqa: S311 # reproducible, no secret
        self._event = make_event(title="Concert")
        self._people = People(self._event, self._chance, self.some)
        moods = random.Random(f"{self.seed} outside")  # noqa: S311 # reproducible, no secret
        with tempfile.TemporaryDirectory() as name, outside(moods) as (self._mailbox, self._listener):
            make_endpoint(self._event.organiser, self._listener.url)
            folder = Path(name)
            strangers = verdict.listed(folder / "before.sqlite3")
            with StorageCalls(self.server).watching() as calls:
                issued = self._run_processes(folder, timeout_seconds)
                self.uploads = calls.outcomes("upload")
            mails, heard = self._mailbox.subjects, self._listener.heard
            self._count(len(issued), mails, [step.sequence for step in heard if step.is_taken])
            self.tell("checking every ticket, file, mail and webhook")
            truth = verdict.Truth(issued, self._people.deleted, self._people.reissued)
            after = folder / "after.sqlite3"
            return list(verdict.findings(self._event, truth, mails, heard, strangers, after))

    def _count(self, issued: int, mails: list[str], messages: list[int]) -> None:
        self.report.update(self._people.counts, issued=issued, deleted=len(self._people.deleted))
        for name, arrived in (("mails", mails), ("webhooks", messages)):
            self.report[name] = len(set(arrived))
            self.report[f"{name} twice"] = len(arrived) - len(set(arrived))

    def _run_processes(self, folder: Path, timeout_seconds: float) -> set[UUID]:
        lease = self.lease_seconds if self.has_lease else NEVER
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, self._variables(lease)))
            # people act in this process
            stack.enter_context(mock.patch.object(invalidation, "DEBOUNCE_WINDOW", haste.QUIET))
            stack.enter_context(mock.patch.object(timing, "DISPATCH_TIMEOUT", haste.grace(timedelta(seconds=lease))))
            stack.enter_context(mock.patch.object(deletions, "LEASE", timedelta(seconds=lease)))
            stack.callback(set_faults, self.server, [])
            set_faults(self.server, FAULTS, self.seed)
            self._processes = [self._start_worker() for _ in range(self.workers)]
            stack.callback(lambda: [stop(worker, signal.SIGKILL) for worker in self._processes])
            if self.has_sweep:
                options = ("--quiet", "beat", "--schedule", str(folder / "schedule"), "--pidfile=")
                stack.callback(stop, self._start("tests.system.chaos.haste", *options), signal.SIGKILL)
            outputs = [folder / f"sold-{number}" for number in range(self.issuers)]
            sellers = [self._start_seller(number, output) for number, output in enumerate(outputs)]
            stack.callback(lambda: [stop(seller) for seller in sellers])
            self._inflict_failures()
            wait_until(
                lambda: all(seller.poll() is not None for seller in sellers), timeout_seconds, "the end of the sale"
            )
            assert not any(seller.returncode for seller in sellers), "a seller failed"
            self._wait(timeout_seconds)
            return {UUID(line) for output in outputs for line in output.read_text().split()}

    def _variables(self, lease: float) -> dict[str, str]:
        mail_url = f"smtp://127.0.0.1:{self._mailbox.port}"
        return {LEASE_VARIABLE: str(lease), "EMAIL_URL": mail_url, "WEBHOOK_ALLOW_PRIVATE": "1"}

    def _start_worker(self) -> subprocess.Popen[bytes]:
        return self._start("tests.system.chaos.haste", "--quiet", *worker_arguments(QUEUES, self.pool))

    def _start_seller(self, number: int, output: Path) -> subprocess.Popen[bytes]:
        share = self.tickets // self.issuers + (number < self.tickets % self.issuers)
        arguments = map(str, (self._event.pk, share, self.seconds * SALE, f"{self.seed} {number}"))
        with output.open("wb") as file:
            return self._start("tests.system.chaos.issuer", *arguments, stdout=file)

    def _start(self, module: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        return start_python(self.broker.url, module, *arguments, stderr=self.log, **options)

    # -- Failures --------------------------------------------------------------------------------------------------

    def _inflict_failures(self) -> None:
        ready = EventTicket.objects.filter(event=self._event, state=EventTicket.State.READY)
        wait_until(ready.exists, 60, "a first ticket ready")
        began = time.monotonic()
        for moment, action in self._schedule():
            time.sleep(max(0.0, began + moment - time.monotonic()))
            action()

    def _schedule(self) -> Sequence[tuple[float, Callable[[], None]]]:
        """Return actions with their times in seconds: random ones, and an outage of storage during the sale."""
        actions = [self._kill] * self.kills + [self._restart_broker] * self.restarts
        actions += [self._people.change_minds] * self.changes + [self._people.edit_event] * self.edits
        planned = [(self._chance.uniform(0, self.seconds), action) for action in actions]
        outage = self.seconds * SALE / 3
        planned += [(outage, self._begin_outage), (outage + self.outage_seconds, self._end_outage)]
        outage = self._chance.uniform(0, self.seconds * SALE)
        planned += [(outage, self._mailbox.stop), (outage + self.outage_seconds, self._mailbox.start)]
        # Long enough for many tickets to have several messages, whose order matters.
        planned += [(self._chance.uniform(0, self.seconds / 4), self._silence), (self.seconds, self._end_silence)]
        return sorted(planned, key=lambda plan: plan[0])

    def _kill(self) -> None:
        """Kill a worker, or its child process that runs the tasks, as the kernel does when memory runs out."""
        victim = self._chance.randrange(len(self._processes))
        worker = self._processes[victim]
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        if children and self._chance.random() < 0.5:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(children[0]), signal.SIGKILL)
        else:
            stop(worker, signal.SIGKILL)
            self._processes[victim] = self._start_worker()
        self.report["kills"] += 1
        self.tell("a worker was killed")

    def _restart_broker(self) -> None:
        self.broker.kill()
        self.broker.start()
        self.report["restarts"] += 1
        self.tell("the broker was killed and restarted")

    def _begin_outage(self) -> None:
        set_faults(self.server, OUTAGE)
        self.tell("storage is down")

    def _end_outage(self) -> None:
        set_faults(self.server, FAULTS, self.seed + 1)
        self.tell("storage is up again")

    def _silence(self) -> None:
        self._listener.is_away = True
        self.tell("the receiver of webhooks is down")

    def _end_silence(self) -> None:
        self._listener.is_away = False
        self.tell("the receiver of webhooks is up again")

    def _wait(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and verdict.is_busy():
            time.sleep(0.2)
