"""Test that a killed run is resumed, that threads share the work, and that memory stays constant."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.utils import timezone

from apps.core.cli.progress import Progress
from apps.core.db import chunks
from apps.core.parallel import in_parallel
from apps.events.models import EventTicket
from apps.local_migration import importer, plans
from apps.local_migration.plans import Selection
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event
from tests.local_tickets import make_local_ticket
from tests.workers import database_url

BACKEND = Path(__file__).resolve().parents[2]


def published() -> dict[int, tuple[int | None, int | None]]:
    rows = EventTicket.objects.exclude(published_at=None)
    return {ticket.pk: (ticket.qr_code_version, ticket.pdf_ticket_version) for ticket in rows}


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_killed_run_is_finished_by_the_next_run(cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    event = make_event()
    for _ in range(40):
        make_local_ticket(event=event)
    command = [sys.executable, "manage.py", "migrate_tickets_to_cloudinary", "--workers=2"]
    environment = os.environ | {"DATABASE_URL": database_url(), "MEDIA_ROOT": str(tmp_path / "media")}
    victim = subprocess.Popen(
        command, cwd=BACKEND, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until(lambda: len(published()) >= 5, victim)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    finished = published()
    assert 5 <= len(finished) < 40, "the run was not killed in the middle"
    EventTicket.objects.exclude(lease=None).update(lease_until=timezone.now())  # as if the leases had run out

    uploads: list[str] = []
    upload = gateway.upload

    def counted(kind: gateway.FileKind, public_id: str, content: bytes, tag: str) -> gateway.StoredFile:
        uploads.append(public_id)
        return upload(kind, public_id, content, tag)

    out = io.StringIO()
    with mock.patch.object(gateway, "upload", counted):
        call_command("migrate_tickets_to_cloudinary", workers=2, stdout=out, stderr=out)

    assert f"{40 - len(finished)} moved" in out.getvalue()
    assert len(uploads) == len(set(uploads)) == 2 * (40 - len(finished)), "a finished ticket was uploaded again"
    after = published()
    assert len(after) == 40
    assert finished.items() <= after.items()


def _wait_until(condition: Any, process: subprocess.Popen[bytes], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the process ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_threads_upload_every_file_once(cloudlet: RunningCloudlet) -> None:
    event = make_event()
    for _ in range(24):
        make_local_ticket(event=event)
    with mock.patch.object(gateway, "upload", side_effect=gateway.upload) as upload:
        results = list(importer.import_all(Selection(), workers=8))
    assert len(results) == 24
    assert upload.call_count == 48
    assert len(published()) == 24


@pytest.mark.django_db
def test_tickets_are_read_in_chunks(monkeypatch: pytest.MonkeyPatch, cloudlet: RunningCloudlet) -> None:
    monkeypatch.setattr(chunks, "ROWS_PER_QUERY", 4)
    event = make_event()
    made = [make_local_ticket(event=event) for _ in range(10)]
    planned = plans.plan(Selection())
    assert not isinstance(planned, list)
    assert [one.ticket.pk for one in planned] == [ticket.pk for ticket in made]
    assert len(list(plans.plan(Selection(limit=7)))) == 7


# -- Threads -----------------------------------------------------------------------------------------------------


def endless(taken: list[int]) -> Iterator[int]:
    number = 0
    while True:
        taken.append(number)
        yield number
        number += 1


def test_in_parallel_takes_few_items_ahead_of_results() -> None:
    taken: list[int] = []
    results = in_parallel(lambda number: number, endless(taken), workers=3)
    for _ in range(100):
        next(results)
        assert len(taken) <= 106
    results.close()  # type: ignore[attr-defined]  # it is a generator


def test_in_parallel_ends_its_threads_when_closed() -> None:
    before = threading.active_count()
    results = in_parallel(lambda number: number, endless([]), workers=3)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_in_parallel_raises_errors_of_threads_to_the_caller() -> None:
    def fail(number: int) -> int:
        if number == 5:
            raise LookupError("five")
        return number

    with pytest.raises(LookupError, match="five"):
        list(in_parallel(fail, range(10), workers=2))


# -- Progress ----------------------------------------------------------------------------------------------------


def test_progress_in_a_log_has_rate_and_time_left() -> None:
    out = io.StringIO()
    now = [0.0]
    with Progress(1000, "ticket", OutputWrapper(out), clock=lambda: now[0]) as progress:
        for _ in range(500):
            now[0] += 0.125
            progress.step()
    lines = out.getvalue().splitlines()
    assert len(lines) == 6
    assert lines[-1] == "480 of 1000 tickets, 8.0 a second, 1 min left"


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(3, "ticket", OutputWrapper(terminal)) as progress:
        for _ in range(3):
            progress.step()
        progress.say("a line")
    assert "3/3" in terminal.getvalue()
    assert "a line\n" in terminal.getvalue()
