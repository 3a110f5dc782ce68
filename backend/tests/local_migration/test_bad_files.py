"""Test that each kind of bad local file is reported in its own words, and that its ticket gets new files."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from apps.events.codes import code_of, find_ticket
from apps.events.models import EventTicket
from apps.local_migration import qr_reader
from apps.local_migration.legacy_files import FileStatus, inspect
from cloudlet.testing import RunningCloudlet
from tests.factories import make_ticket
from tests.local_tickets import accept_id, local_path, make_local_ticket, old_qr_png, write_local
from tests.pictures import codes_in_png

from .command import migrate

pytestmark = pytest.mark.django_db


def huge_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (8000, 8000)).save(buffer, "PNG")
    return buffer.getvalue()


BAD_FILES = {
    FileStatus.EMPTY: (lambda: b"", "is empty"),
    FileStatus.DAMAGED: (lambda: old_qr_png("x" * 40)[:200], "is damaged"),
    FileStatus.NOT_A_PICTURE: (lambda: b"%PDF-1.4 not a picture", "is not a picture"),
    FileStatus.TOO_LARGE: (huge_picture, "is too large"),
    FileStatus.NO_CODE: (lambda: old_qr_png("AD1:" + "0" * 131), "shows no code of this system"),
    FileStatus.FOREIGN_CODE: (lambda: old_qr_png(code_of(make_ticket())), "carries another ticket's code"),
}


@pytest.mark.parametrize("status", BAD_FILES)
def test_bad_file_is_reported_and_the_ticket_re_rendered(
    cloudlet: RunningCloudlet, status: FileStatus, tmp_path: Path
) -> None:
    make, words = BAD_FILES[status]
    content = make()
    ticket = make_local_ticket(content)

    said = migrate(report=tmp_path / "report.csv", delete_local=True)

    assert f"⚠️ QR code file {words} for ticket {ticket.ticket_id}" in said
    assert "1 re-rendered" in said
    (line,) = csv.DictReader((tmp_path / "report.csv").read_text().splitlines())
    assert (line["ticket"], line["finding"], line["outcome"]) == (str(ticket.ticket_id), status.value, "renewed")
    assert local_path(ticket).read_bytes() == content, "a file that was not moved was deleted"
    ticket.refresh_from_db()
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert code_of(ticket).startswith("AD1:")
    assert find_ticket(str(ticket.ticket_id)) == (ticket, True), "the printed id is no longer valid"
    assert ("not valid for entry" in said) == (status in (FileStatus.NO_CODE, FileStatus.FOREIGN_CODE))
    assert ("stays valid" in said) == ("not valid for entry" not in said)


@pytest.mark.parametrize("text", ["AD1:{}\n\x1b[2JEvent: Concert", "ad1:{}"])
def test_printed_code_that_is_not_valid_is_reported_with_its_text(cloudlet: RunningCloudlet, text: str) -> None:
    """A code in signed form is valid by its signature alone, whatever picture it is in."""
    ticket = make_local_ticket(text=text)
    printed = text.format(ticket.ticket_id)
    shown = " ".join(printed.replace("\x1b", " ").split())[:60]
    make_local_ticket()

    said = migrate()

    assert f"it reads “{shown}”" in said
    assert "the holder needs the new ticket" in said
    assert (
        "       1 tickets were printed with a code that is not valid for entry: send their holders the new files"
        in said
    )
    assert find_ticket(printed) == (None, False)


def test_missing_file_is_reported_and_the_ticket_re_rendered(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    local_path(ticket).unlink()

    said = migrate()

    assert f"⚠️ QR code file not found for ticket {ticket.ticket_id}" in said
    assert "deleted" in said
    ticket.refresh_from_db()
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert find_ticket(str(ticket.ticket_id)) == (ticket, True)


def test_missing_files_do_not_count_as_deleted(cloudlet: RunningCloudlet) -> None:
    gone, bad, fine = make_local_ticket(), make_local_ticket(b""), make_local_ticket()
    migrate()
    local_path(gone).unlink()

    said = migrate(delete_local=True)

    assert "       1 local files deleted" in said
    assert "       1 local files were gone already" in said
    assert "       1 local files kept" in said
    assert "new files" not in said, "nothing is rendered here"
    assert f"for ticket {bad.ticket_id}" in said
    assert "It stays where it is" in said
    assert not local_path(fine).exists()
    assert "gone already" not in migrate(delete_local=True), "the missing file is reported only once"


def test_ticket_without_a_local_file_is_published_without_a_warning(cloudlet: RunningCloudlet) -> None:
    ticket = accept_id(make_ticket(next_attempt_at=None))
    said = migrate()
    assert "⚠️" not in said
    assert EventTicket.objects.get(pk=ticket.pk).has_files


@pytest.mark.parametrize("name", ["../../secret.png", "qr_codes/a_folder", "qr_codes/a_pipe"])
def test_names_of_no_regular_file_in_the_media_folder_are_not_read(
    cloudlet: RunningCloudlet, tmp_path: Path, name: str
) -> None:
    write_local("../../secret.png", old_qr_png("secret"))
    (tmp_path / "media/qr_codes/a_folder").mkdir(parents=True)
    os.mkfifo(tmp_path / "media/qr_codes/a_pipe")
    ticket = make_local_ticket(qr_code=name)
    assert inspect(ticket).status is FileStatus.UNREADABLE
    assert f"⚠️ QR code file can't be read for ticket {ticket.ticket_id}" in migrate()
    assert EventTicket.objects.get(pk=ticket.pk).has_files


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    ticket = make_local_ticket(b"")
    with local_path(ticket).open("wb") as file:
        file.truncate(50 * 1024 * 1024 * 1024)
    assert inspect(ticket).status is FileStatus.TOO_LARGE


def test_printed_code_of_a_reissued_ticket_stays_invalid(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket(code_generation=1)
    assert inspect(ticket).status is FileStatus.OLD_CODE
    migrate()
    ticket.refresh_from_db()
    assert find_ticket(str(ticket.ticket_id)) == (ticket, False)


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "I;16", "CMYK"])
def test_pictures_of_all_colour_modes_are_scanned(mode: str) -> None:
    grey = Image.open(io.BytesIO(old_qr_png("hello"))).convert("L")
    if mode in ("RGBA", "LA"):  # black on transparent, as design tools export it
        picture = Image.new(mode, grey.size, 0)
        picture.putalpha(grey.point(lambda value: 255 - value))
    else:
        picture = grey.convert("I").point(lambda value: value * 257) if mode == "I;16" else grey.convert(mode)
        picture = picture.convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert qr_reader.codes_in_picture(buffer.getvalue()) == ["hello"]
