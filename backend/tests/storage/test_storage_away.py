"""Commands report unreachable storage once, say what to do, and end within seconds."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.core.management import CommandError, call_command

from apps.events.issuing import Holder, issue_many
from apps.events.models import EventTicket
from apps.local_migration import importer
from apps.publishing import pipeline
from apps.publishing.models import StoredFileDeletion
from apps.storage import gateway
from apps.storage.cli.causes import Causes
from apps.storage_checks.models import Examination
from cloudlet.testing import RunningCloudlet
from tests.environment import free_port
from tests.factories import make_event, make_ticket
from tests.faults import faults
from tests.local_tickets import make_local_ticket
from tests.workers import publish

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 25.0  # on a machine with a lot to do
COMMANDS = {
    "migrate": ["migrate_tickets_to_cloudinary"],
    "migrate and delete": ["migrate_tickets_to_cloudinary", "--delete-local"],
    "migrate back": ["migrate_tickets_to_cloudinary", "--to-local"],
    "publish": ["publish_tickets"],
    "publish what was given up": ["publish_tickets", "--given-up"],
    "doctor": ["ticket_doctor"],
    "doctor that repairs": ["ticket_doctor", "--fix"],
}


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    yield free_port()


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Listen on a port that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def run(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[list[str], str]:
    """Run a command that fails. Return all lines that the operator sees, logs included, and the final error."""
    capsys.readouterr()
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(*command, stdout=out, stderr=out)
    written = capsys.readouterr()
    return (out.getvalue() + written.out + written.err).splitlines(), str(caught.value)


@pytest.fixture
def work(settings: Any, tmp_path: Path, cloudlet: RunningCloudlet) -> None:
    """Create work for each command."""
    settings.MEDIA_ROOT = tmp_path / "media"
    event = make_event()
    publish(make_ticket(event=event).pk)
    for _ in range(3):
        make_local_ticket(event=event)
        make_ticket(event=event)
    given_up = make_ticket(event=event)
    EventTicket.objects.filter(pk=given_up.pk).update(state=EventTicket.State.FAILED, next_attempt_at=None)


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("port", [closed_port, silent_port])
@pytest.mark.parametrize("is_cloudlet", [True, False])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_commands_report_unreachable_storage_in_one_line_within_seconds(
    command: list[str],
    is_cloudlet: bool,
    port: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    probe, calls = gateway.PROBE_TIMEOUT, gateway.TIMEOUT
    assert (probe.connect_timeout, probe.read_timeout) == (3, 5), "operators wait for it"
    assert calls.read_timeout > SECONDS, "a command that calls without a probe would be in time"
    monkeypatch.setattr(gateway, "PROBE_TIMEOUT", urllib3.Timeout(connect=3, read=0.2))
    columns = list(EventTicket.objects.order_by("pk").values())
    with port() as number:
        address = f"http://127.0.0.1:{number}"
        settings.CLOUDINARY_ACCOUNT = dataclasses.replace(
            settings.CLOUDINARY_ACCOUNT, upload_prefix=address, is_cloudlet=is_cloudlet
        )
        began = time.monotonic()
        said, error = run(capsys, *command)
        assert time.monotonic() - began < SECONDS
    assert said == []
    assert len(error.splitlines()) == 1
    assert error.startswith("❌ Error reaching Cloudinary: ")
    assert re.search("Connection refused|Read timed out", error)
    assert f"Nothing answers on {address}." in error
    assert ("`make demo` starts it" in error) == is_cloudlet
    assert "object at 0x" not in error
    assert len(error) < 400
    assert list(EventTicket.objects.order_by("pk").values()) == columns, "no ticket was started"
    if command[0] == "ticket_doctor":
        assert [found["problem"] for found in Examination.objects.get().findings] == ["unreachable"]


@pytest.mark.integration
@pytest.mark.parametrize("command", [["migrate_tickets_to_cloudinary"], ["publish_tickets"]])
def test_commands_without_work_need_no_storage(command: list[str], settings: Any) -> None:
    settings.CLOUDINARY_ACCOUNT = dataclasses.replace(
        settings.CLOUDINARY_ACCOUNT, upload_prefix=f"http://127.0.0.1:{free_port()}"
    )
    call_command(*command, stdout=io.StringIO(), stderr=io.StringIO())


def test_any_response_counts_as_reachable(cloudlet: RunningCloudlet) -> None:
    """An error status counts too: the calls themselves will report it."""
    gateway.check_reachable()


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("command", [["migrate_tickets_to_cloudinary"], ["publish_tickets"]])
def test_storage_that_fails_during_a_run_is_reported_once_with_a_count(
    command: list[str], cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("apps.local_migration.retry.FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("apps.storage.retry.FIRST_WAIT_SECONDS", 0.01)
    event = make_event()
    issue_many(event, [Holder(f"Guest {number}") for number in range(12)])
    for _ in range(12):
        make_local_ticket(event=event)
    with faults(cloudlet, {"call": "upload", "kind": "drop_before"}):
        said, error = run(capsys, *command)
    reported = [line for line in said if "❌" in line or "Retrying" in line or "waits for storage" in line]
    assert len(reported) == 2, reported
    assert re.match("Ticket [0-9a-f-]{36}: ❌ Error uploading QR code to Cloudinary", reported[0])
    assert re.match(r"\d+ more for the same reason: ❌ Error uploading QR code to Cloudinary", reported[1])
    assert len(error.splitlines()) == 1


@pytest.mark.usefixtures("work")
def test_publish_tickets_stops_early_if_storage_stays_unreachable(
    settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("apps.storage.retry.FIRST_WAIT_SECONDS", 0.01)
    issue_many(make_event(), [Holder(f"Guest {number}") for number in range(80)])
    there, away = settings.CLOUDINARY_ACCOUNT, f"http://127.0.0.1:{free_port()}"
    publish_each = pipeline.publish_each

    def go_away(*args: Any, **options: Any) -> Any:
        settings.CLOUDINARY_ACCOUNT = dataclasses.replace(there, upload_prefix=away)
        return publish_each(*args, **options)

    monkeypatch.setattr(pipeline, "publish_each", go_away)
    said, error = run(capsys, "publish_tickets")
    assert error.startswith("❌ Error reaching Cloudinary: ")
    assert len(said) == 2, said
    assert EventTicket.objects.filter(attempts=0, state="pending", next_attempt_at__isnull=False).count() > 20


@pytest.mark.usefixtures("work")
def test_undeletable_files_are_reported_in_one_line_for_each_reason(
    cloudlet: RunningCloudlet, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        make_ticket().delete()
    with faults(cloudlet, {"call": "destroy", "kind": "error", "status": 503, "message": "Down for maintenance"}):
        said, _ = run(capsys, "publish_tickets")
    assert StoredFileDeletion.objects.count() == 6
    reported = [line for line in said if "Down for maintenance" in line]
    assert len(reported) == 2, reported  # QR codes and PDF files
    assert all(re.match(" +3 files are still there: ❌ Error deleting", line) for line in reported)


def test_failures_are_grouped_by_cause_not_by_ticket() -> None:
    lines: list[str] = []
    with Causes(lines.append) as causes:
        for number in range(4):
            suffix = f"_{number:024x}" if number > 1 else ""  # of a re-issued ticket
            ticket = f"{number}e0f6b0a-0000-4000-8000-000000000000{suffix}"
            causes.report(f"Ticket {ticket}", f"qr_codes/ticket_{ticket}.png: No space left")
        causes.report("Ticket x", "no glyph")
    assert lines == [
        "Ticket 0e0f6b0a-0000-4000-8000-000000000000: qr_codes/ticket_0e0f6b0a-0000-4000-8000-000000000000.png: "
        "No space left",
        "Ticket x: no glyph",
        "3 more for the same reason: qr_codes/ticket_….png: No space left",
    ]


def test_run_that_stops_early_gives_its_reason_once(
    cloudlet: RunningCloudlet, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr("apps.local_migration.retry.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr("apps.storage.retry.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(importer, "MAX_CONSECUTIVE_FAILURES", 3)
    event = make_event()
    for _ in range(6):
        make_local_ticket(event=event)
    with faults(cloudlet, {"call": "upload", "kind": "error", "status": 503, "message": "Down for maintenance"}):
        said, error = run(capsys, "migrate_tickets_to_cloudinary", "--workers=1")
    assert sum("Down for maintenance" in line for line in said) == 2
    assert "Stopped early" in error
