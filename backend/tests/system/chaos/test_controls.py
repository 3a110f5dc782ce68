"""Negative controls of the chaos test: without a protection, jobs are left over, and the errors are found."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.core.mail import send_mail

from apps.core.jobs import dispatch, kinds
from apps.events.models import Event, EventTicket
from apps.publishing import invalidation
from apps.webhooks.models import EventType
from cloudlet.testing import RunningCloudlet
from config.email_settings import OUTBOX
from tests.factories import make_endpoint, make_event, make_ticket
from tests.webhooks.helpers import enqueue
from tests.workers import BACKEND

from . import verdict
from .outside import Heard, Listener, Mailbox, outside
from .run import NEVER
from .verdict import Truth

READY, REISSUED, DELETED = EventType.READY.value, EventType.REISSUED.value, EventType.DELETED.value


@dataclass
class World:
    """An event with an endpoint, and the tasks that were sent, without a broker."""

    event: Event
    mailbox: Mailbox
    listener: Listener
    sent: deque[tuple[str, list[Any]]]

    def work(self) -> None:
        """Run all tasks that were sent, and those that they send."""
        while self.sent:
            task, arguments = self.sent.popleft()
            current_app.tasks[task](*arguments)

    def sweep(self, settings: Any) -> None:
        """Send the tasks that beat sends at short intervals."""
        for entry in settings.CELERY_BEAT_SCHEDULE.values():
            if isinstance(entry["schedule"], float):
                self.sent.append((entry["task"], []))

    def ready_ticket(self) -> EventTicket:
        ticket = make_ticket(event=self.event)
        self.work()
        ticket.refresh_from_db()
        assert ticket.state == EventTicket.State.READY
        return ticket


@pytest.fixture
def world(
    transactional_db: None, cloudlet: RunningCloudlet, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    current_app.loader.import_default_modules()
    sent: deque[tuple[str, list[Any]]] = deque()
    monkeypatch.setattr(dispatch, "send", lambda task, arguments, queue: sent.append((task, arguments)))
    monkeypatch.setattr(dispatch, "tasks_waiting", lambda queue: 0)
    monkeypatch.setattr(invalidation, "DEBOUNCE_WINDOW", timedelta(0))
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with outside(Steady()) as (mailbox, listener):
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = OUTBOX, "127.0.0.1", mailbox.port
        event = make_event()
        make_endpoint(event.organiser, listener.url)
        yield World(event, mailbox, listener, sent)


class Steady(random.Random):
    """A random generator with which nothing fails by chance."""

    def random(self) -> float:
        return 0.5


def change_event(world: World) -> None:
    world.ready_ticket()
    Event.objects.filter(pk=world.event.pk).update(title="Another concert")
    invalidation.event_changed(world.event.pk)


JOBS: dict[str, Callable[[World], object]] = {
    "changed_event": change_event,
    "file_deletion": lambda world: world.ready_ticket().delete(),
    "mail": lambda world: send_mail("Your code", "It is 4711.", None, ["ann@example.org"]),
    "ticket": lambda world: make_ticket(event=world.event),
    "webhook": lambda world: enqueue(EventType.READY, make_ticket(event=world.event)),
}


@pytest.mark.databases
@pytest.mark.parametrize("kind", JOBS)
@pytest.mark.parametrize("protection", ["all", "no lease ends", "no sweep"])
def test_job_of_a_dead_worker_is_left_over_without_lease_end_or_sweep(
    world: World, kind: str, protection: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = {each.name: each for each in kinds.registered()}[kind]
    JOBS[kind](world)
    with monkeypatch.context() as patch:
        patch.setattr(kinds, "LEASE", timedelta(seconds=NEVER) if protection == "no lease ends" else timedelta(0))
        assert engine.claim_these(list(engine.jobs.values_list("pk", flat=True)))
    world.sent.clear()  # the tasks are lost with the worker
    if protection != "no sweep":
        world.sweep(settings)
        world.work()
    left = {name for name, jobs in verdict.unfinished().items() if jobs.exists()}
    assert (kind in left) is (protection != "all")
    assert any(finding.startswith(kind) for finding in verdict.of_jobs()) is (protection != "all")


def test_verdict_covers_every_kind() -> None:
    assert set(verdict.unfinished()) == set(JOBS) == {kind.name for kind in kinds.registered()}


# -- Errors made by hand -----------------------------------------------------------------------------------------


def test_lost_and_unexpected_mail_is_found() -> None:
    ann, ben = uuid4(), uuid4()
    truth = Truth({ann, ben})
    assert list(verdict.of_mail(truth, [str(ann), str(ben), str(ann)])) == [], "at least once is allowed"
    assert list(verdict.of_mail(truth, [str(ann)])) == [f"the mail for {ben} was lost"]
    assert len(list(verdict.of_mail(truth, [str(ann), str(ben), "another"]))) == 1


def steps(*messages: tuple[int, str, str]) -> list[Heard]:
    """Return the steps of requests, from their sequences, types, and ends: `taken` or `refused`."""
    return [
        Heard("t", sequence, event_type, is_taken)
        for sequence, event_type, end in messages
        for is_taken in ([False, True] if end == "taken" else [False])
    ]


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        (steps((1, READY, "refused"), (1, READY, "taken"), (1, READY, "taken"), (2, DELETED, "taken")), 0),
        (steps((1, READY, "taken"), (2, DELETED, "taken"), (1, READY, "refused")), 0),
        (steps((1, READY, "refused"), (2, DELETED, "refused"), (1, READY, "taken"), (2, DELETED, "taken")), 1),
        (steps((2, DELETED, "taken"), (1, READY, "taken")), 1),
        (steps((1, READY, "taken"), (2, DELETED, "refused")), 1),
        (steps((2, DELETED, "taken")), 2),
    ],
    ids=["refused and repeated", "late repetition", "overtaken", "swapped", "last one lost", "first one lost"],
)
def test_lost_and_misordered_webhooks_are_found(heard: list[Heard], found: int) -> None:
    assert len(list(verdict.out_of_order(heard, [("t", 1), ("t", 2)]))) == found


@pytest.mark.parametrize(
    ("types", "found"),
    [([READY, REISSUED, READY], 0), ([READY, REISSUED], 1), ([READY], 1), ([], 2), ([READY, REISSUED, DELETED], 1)],
)
def test_missing_messages_are_found_even_if_never_enqueued(types: list[str], found: int) -> None:
    ticket_id = uuid4()
    heard = [Heard(str(ticket_id), sequence, event_type, True) for sequence, event_type in enumerate(types)]
    truth = Truth({ticket_id}, reissued=Counter({ticket_id: 1}))
    assert len(list(verdict.not_told(truth, heard))) == found


@pytest.mark.databases
def test_lost_and_outdated_tickets_are_found(world: World) -> None:
    ticket = world.ready_ticket()
    truth = Truth({ticket.ticket_id})
    assert list(verdict.of_tickets(world.event, truth)) == []
    Event.objects.filter(pk=world.event.pk).update(title="Another concert")
    assert list(verdict.of_tickets(world.event, truth)) == [f"{ticket.ticket_id} shows outdated values"]
    lost = uuid4()
    assert f"{lost} was issued, but is missing" in list(
        verdict.of_tickets(world.event, Truth({ticket.ticket_id, lost}))
    )


@pytest.mark.databases
def test_files_of_deleted_tickets_are_found(world: World, tmp_path: Path) -> None:
    ticket = world.ready_ticket()
    ticket.delete()
    truth = Truth({ticket.ticket_id}, {ticket.ticket_id})
    assert len(list(verdict.of_files(truth, verdict.listed(tmp_path / "before")))) == 2
    world.work()
    assert list(verdict.of_files(truth, verdict.listed(tmp_path / "after"))) == []


# -- Short leases ------------------------------------------------------------------------------------------------


def test_timings_shortened_too_late_are_reported() -> None:
    """The negative control. If leases are shortened in time, nothing is reported, or workers would not start."""
    late = (
        "import django; django.setup(); from tests.system.chaos import haste; haste.make_haste(); print(haste.slow())"
    )
    command = [sys.executable, "-c", late]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=BACKEND).stdout
    copies = [f"apps.{name}.LEASE" for name in ("core.jobs.kinds", "publishing.deletions", "webhooks.jobs")]
    assert [name for name in [*copies, *JOBS] if f"'{name}'" not in told] == []
