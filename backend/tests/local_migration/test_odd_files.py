"""Local files that are not what they should be: each has its own line, and its ticket a fresh file."""

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
from apps.local_migration.legacy_files import Finding, examine
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


ODD_FILES = {
    Finding.EMPTY: (lambda: b"", "is empty"),
    Finding.DAMAGED: (lambda: old_qr_png("x" * 40)[:200], "is damaged"),
    Finding.NOT_A_PICTURE: (lambda: b"%PDF-1.4 not a picture", "is not a picture"),
    Finding.TOO_LARGE: (huge_picture, "is too large"),
    Finding.NO_CODE: (lambda: old_qr_png("AD1:" + "0" * 131), "shows no code of this system"),
    Finding.FOREIGN_CODE: (lambda: old_qr_png(code_of(make_ticket())), "carries another ticket's code"),
}


@pytest.mark.parametrize("finding", ODD_FILES)
def test_every_odd_file_has_its_own_line_and_the_ticket_a_fresh_file(
    cloudlet: RunningCloudlet, finding: Finding, tmp_path: Path
) -> None:
    make, words = ODD_FILES[finding]
    content = make()
    ticket = make_local_ticket(content)

    said = migrate(report=tmp_path / "report.csv", delete_local=True)

    assert f"⚠️ QR code file {words} for ticket {ticket.ticket_id}" in said
    assert "1 made anew" in said
    (line,) = csv.DictReader((tmp_path / "report.csv").read_text().splitlines())
    assert (line["ticket"], line["finding"], line["outcome"]) == (str(ticket.ticket_id), finding.value, "renewed")
    assert local_path(ticket).read_bytes() == content, "evidence is never deleted"
    ticket.refresh_from_db()
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert code_of(ticket).startswith("AD1:")
    assert find_ticket(str(ticket.ticket_id)) == (ticket, True), "what was printed still lets its holder in"
    assert ("opens no door" in said) == (finding in (Finding.NO_CODE, Finding.FOREIGN_CODE))
    assert ("stays valid" in said) == ("opens no door" not in said)


@pytest.mark.parametrize("text", ["AD1:{}\n\x1b[2JEvent: Concert", "ad1:{}"])
def test_printed_codes_that_open_no_door_are_told_with_what_they_say(cloudlet: RunningCloudlet, text: str) -> None:
    """What looks signed counts by its signature alone, whatever picture it is in."""
    ticket = make_local_ticket(text=text)
    printed = text.format(ticket.ticket_id)
    shown = " ".join(printed.replace("\x1b", " ").split())[:60]
    make_local_ticket()

    said = migrate()

    assert f"it reads “{shown}”" in said
    assert "the holder needs the new ticket" in said
    assert "       1 tickets were printed with a code that opens no door: send those out anew" in said
    assert find_ticket(printed) == (None, False)


def test_a_missing_file_gives_the_documented_warning_and_a_fresh_file(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    local_path(ticket).unlink()

    said = migrate()

    assert f"⚠️ QR code file not found for ticket {ticket.ticket_id}" in said
    assert "deleted" in said
    ticket.refresh_from_db()
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert find_ticket(str(ticket.ticket_id)) == (ticket, True)


def test_of_files_left_behind_only_those_that_were_there_count_as_deleted(cloudlet: RunningCloudlet) -> None:
    gone, odd, fine = make_local_ticket(), make_local_ticket(b""), make_local_ticket()
    migrate()
    local_path(gone).unlink()

    said = migrate(delete_local=True)

    assert "       1 local files deleted" in said
    assert "       1 local files were gone already" in said
    assert "       1 local files kept" in said
    assert "fresh file" not in said, "nothing is made here"
    assert f"for ticket {odd.ticket_id}" in said
    assert "It stays where it is" in said
    assert not local_path(fine).exists()
    assert "gone already" not in migrate(delete_local=True), "it is noted once"


def test_a_ticket_that_never_had_a_file_gets_one_without_a_warning(cloudlet: RunningCloudlet) -> None:
    ticket = accept_id(make_ticket(next_attempt_at=None))
    said = migrate()
    assert "⚠️" not in said
    assert EventTicket.objects.get(pk=ticket.pk).has_files


@pytest.mark.parametrize("name", ["../../secret.png", "qr_codes/a_folder", "qr_codes/a_pipe"])
def test_names_that_lead_astray_are_never_followed(cloudlet: RunningCloudlet, tmp_path: Path, name: str) -> None:
    write_local("../../secret.png", old_qr_png("secret"))
    (tmp_path / "media/qr_codes/a_folder").mkdir(parents=True)
    os.mkfifo(tmp_path / "media/qr_codes/a_pipe")
    ticket = make_local_ticket(qr_code=name)
    assert examine(ticket).finding is Finding.UNREADABLE
    assert f"⚠️ QR code file can't be read for ticket {ticket.ticket_id}" in migrate()
    assert EventTicket.objects.get(pk=ticket.pk).has_files


def test_a_file_larger_than_any_qr_code_is_not_even_read(tmp_path: Path) -> None:
    ticket = make_local_ticket(b"")
    with local_path(ticket).open("wb") as file:
        file.truncate(50 * 1024 * 1024 * 1024)
    assert examine(ticket).finding is Finding.TOO_LARGE


def test_the_code_of_an_unmoved_ticket_that_was_reissued_is_not_kept(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket(code_generation=1)
    assert examine(ticket).finding is Finding.OLD_CODE
    migrate()
    ticket.refresh_from_db()
    assert find_ticket(str(ticket.ticket_id)) == (ticket, False)


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "I;16", "CMYK"])
def test_pictures_of_any_kind_are_scanned(mode: str) -> None:
    grey = Image.open(io.BytesIO(old_qr_png("hello"))).convert("L")
    if mode in ("RGBA", "LA"):  # black on nothing, as design tools export it
        picture = Image.new(mode, grey.size, 0)
        picture.putalpha(grey.point(lambda value: 255 - value))
    else:
        picture = grey.convert("I").point(lambda value: value * 257) if mode == "I;16" else grey.convert(mode)
        picture = picture.convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert qr_reader.codes_in_picture(buffer.getvalue()) == ["hello"]
