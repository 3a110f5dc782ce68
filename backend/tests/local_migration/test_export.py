"""Test that files are exported from Cloudinary to local storage, verified, and can be imported again."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError

from apps.events.codes import code_of
from apps.events.models import EventTicket
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import make_ticket
from tests.local_tickets import local_path, make_local_ticket, old_qr_png, write_local
from tests.pictures import codes_in_pdf, codes_in_png
from tests.workers import publish

from .command import migrate

pytestmark = pytest.mark.django_db


def test_exported_files_are_verified_and_can_be_imported_again(cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    old, new = make_local_ticket(), make_ticket()
    migrate("--delete-local")
    publish(new.pk)

    assert "2 exported to local storage" in migrate("--to-local")

    for ticket in (old, new):
        ticket.refresh_from_db()
        assert (ticket.state, ticket.next_attempt_at, ticket.published_at) == ("pending", None, None)
        assert codes_in_png((tmp_path / "media" / ticket.qr_code.name).read_bytes()) == [code_of(ticket)]
        assert codes_in_pdf((tmp_path / "media" / ticket.pdf_ticket.name).read_bytes()) == [code_of(ticket)]
    assert not list(tmp_path.rglob(".arriving-*"))
    assert "0" not in migrate("--to-local")

    assert "2 moved; printed codes stay valid" in migrate("--delete-local")
    for ticket in (old, new):
        ticket.refresh_from_db()
        assert ticket.has_files
        assert ticket.local_files == {}
    assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_file_with_a_wrong_code_is_not_exported(cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    gateway.upload(gateway.QR_CODE, gateway.QR_CODE.public_id(ticket.event_id, ticket.ticket_id), old_qr_png("else"))
    with pytest.raises(CommandError, match="not done"):
        migrate("--to-local")
    ticket.refresh_from_db()
    assert ticket.has_files
    assert not (tmp_path / "media/qr_codes").exists()


def test_tickets_with_the_same_local_file_do_not_overwrite_each_other(cloudlet: RunningCloudlet) -> None:
    first = make_local_ticket()
    write_local("qr_codes/shared.png", old_qr_png(str(first.ticket_id)))
    EventTicket.objects.filter(pk=first.pk).update(qr_code="qr_codes/shared.png")
    second = make_local_ticket(qr_code="qr_codes/shared.png")
    assert "carries the same text as another ticket's" in migrate()
    migrate("--to-local")
    first.refresh_from_db(), second.refresh_from_db()
    for ticket in (first, second):
        assert codes_in_png(local_path(ticket).read_bytes()) == [code_of(ticket)]


def test_unwritable_folder_stops_the_export(cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    (tmp_path / "media").write_bytes(b"a file where the folder should be")
    with pytest.raises(CommandError, match=r"Stopped early.*Check MEDIA_ROOT"):
        migrate("--to-local")
    assert EventTicket.objects.get(pk=ticket.pk).has_files
