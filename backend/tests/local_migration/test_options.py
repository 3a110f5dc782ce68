"""Test the options of the command and its output."""

from __future__ import annotations

import csv
import errno
import io
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from apps.events.codes import code_of, find_ticket
from apps.events.models import EventTicket
from apps.local_migration import importer
from apps.publishing.models import StoredFileDeletion
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket
from tests.local_tickets import local_path, make_local_ticket, write_local
from tests.pictures import codes_in_png
from tests.workers import publish

from .command import everything, migrate

pytestmark = pytest.mark.django_db


def test_dry_run_reports_and_writes_nothing(cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    make_local_ticket(), make_local_ticket(b"")
    published = make_ticket()
    publish(published.pk)
    before = everything(tmp_path)

    with mock.patch.object(gateway, "_call", side_effect=AssertionError("storage was called")):
        said = migrate("--dry-run")

    assert everything(tmp_path) == before
    assert "1 would be moved; printed codes stay valid" in said
    assert "1 would be re-rendered" in said
    assert "1 on Cloudinary already: left alone" in said
    assert "is empty" in said


def test_published_tickets_are_left_alone_unless_forced(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    migrate()
    ticket.refresh_from_db()
    version = ticket.qr_code_version

    assert "1 on Cloudinary already: left alone" in migrate()
    ticket.refresh_from_db()
    assert ticket.qr_code_version == version

    assert "1 moved" in migrate("--force")
    ticket.refresh_from_db()
    assert ticket.qr_code_version is not None
    assert version is not None
    assert ticket.qr_code_version > version
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert find_ticket(str(ticket.ticket_id)) == (ticket, True), "re-rendered, but not re-issued"


def test_new_tickets_are_left_to_the_workers(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    migrate()
    assert EventTicket.objects.get(pk=ticket.pk).published_at is None


def test_local_files_are_deleted_only_on_request_and_after_verification(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    path = local_path(ticket)
    with mock.patch.object(gateway, "fetch", return_value=b"not what was uploaded"), pytest.raises(CommandError):
        migrate("--delete-local")
    assert path.exists()
    ticket.refresh_from_db()
    assert ticket.state == EventTicket.State.FAILED
    assert ticket.qr_code.name == ticket.local_files["qr_code"], "the row names files that are not verified"
    assert "can't be scanned" in ticket.reason

    migrate("--delete-local")
    assert not path.exists()
    ticket.refresh_from_db()
    assert ticket.qr_code_local == ""
    assert ticket.has_files


def test_local_files_of_earlier_runs_are_deleted(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    migrate()
    path = local_path(ticket)
    with mock.patch.object(gateway, "upload", side_effect=AssertionError("uploaded again")):
        assert "1 local files deleted" in migrate("--delete-local")
    assert not path.exists()
    assert migrate("--delete-local").count("deleted") == 0


def test_local_file_without_a_verified_replacement_is_not_deleted(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    migrate()
    gateway.destroy(gateway.QR_CODE, gateway.QR_CODE.public_id(ticket.event_id, ticket.ticket_id))
    with pytest.raises(CommandError, match="not done"):
        migrate("--delete-local")
    assert local_path(ticket).exists()


def test_local_file_that_cannot_be_deleted_does_not_stop_other_tickets(
    cloudlet: RunningCloudlet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Legacy databases have names that lead out of the media folder."""
    monkeypatch.setattr(importer, "MAX_CONSECUTIVE_FAILURES", 2)
    outside = write_local("../elsewhere/a.pdf", b"%PDF")
    astray = [make_local_ticket(pdf_ticket=str(outside)) for _ in range(3)]
    others = [make_local_ticket(), make_local_ticket()]
    report = tmp_path / "report.csv"

    for number in (5, 3):
        report.unlink(missing_ok=True)
        with pytest.raises(CommandError, match=f"^3 of {number} tickets are not done"):
            migrate("--delete-local", report=report)
        lines = {line["ticket"]: line for line in csv.DictReader(report.read_text().splitlines())}
        for ticket in astray:
            line = lines[str(ticket.ticket_id)]
            assert line["outcome"] == "failed"
            assert f"{outside} was not deleted, as it lies outside MEDIA_ROOT" in line["message"]
            ticket.refresh_from_db()
            assert ticket.has_files
            assert (ticket.qr_code_local, ticket.pdf_ticket_local) == ("", str(outside)), "the deletable file was kept"
    for ticket in others:
        ticket.refresh_from_db()
        assert (ticket.has_files, ticket.local_files) == (True, {})
    assert outside.exists()


def test_local_files_on_a_read_only_medium_are_deleted_by_a_later_run(
    cloudlet: RunningCloudlet,
) -> None:
    ticket = make_local_ticket()
    out = io.StringIO()
    read_only = OSError(errno.EROFS, "Read-only file system")
    with mock.patch("os.remove", side_effect=read_only), pytest.raises(CommandError, match="1 of 1 tickets"):
        call_command("migrate_tickets_to_cloudinary", "--delete-local", stdout=out, stderr=out, workers=1)
    assert f"Ticket {ticket.ticket_id}: Its files are on Cloudinary, but the local qr_codes/" in out.getvalue()
    assert "Read-only file system" in out.getvalue()
    assert local_path(ticket).exists()
    assert "1 local files deleted" in migrate("--delete-local")
    assert not local_path(ticket).exists()


def test_local_file_of_a_deleted_ticket_is_deleted(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    name = ticket.qr_code.name
    migrate()
    EventTicket.objects.filter(pk=ticket.pk).delete()
    assert StoredFileDeletion.objects.filter(kind=StoredFileDeletion.Kind.LOCAL_FILE, name=name).exists()


def test_event_and_limit_select_tickets(cloudlet: RunningCloudlet) -> None:
    event = make_event()
    mine = [make_local_ticket(event=event) for _ in range(3)]
    other = make_local_ticket()
    assert "2 moved" in migrate(event=event.pk, limit=2)
    done = EventTicket.objects.exclude(published_at=None)
    assert set(done) == set(mine[:2])
    assert "1 moved" in migrate(event=event.pk)
    other.refresh_from_db()
    assert other.published_at is None


@pytest.mark.parametrize("arguments", [["--limit=0"], ["--workers=0"], ["--workers=65"], ["--to-local", "--force"]])
def test_invalid_options_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        migrate(*arguments, **({"workers": 1} if "workers" not in arguments[0] else {}))


def test_unwritable_report_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    ticket = make_local_ticket()
    with pytest.raises(CommandError, match="report can't be written"):
        migrate(report=tmp_path / "no/such/folder/report.csv")
    ticket.refresh_from_db()
    assert ticket.next_attempt_at is None
