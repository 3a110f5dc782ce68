"""Test that printed codes stay valid when their tickets are imported to Cloudinary."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from unittest import mock

import pytest
from django.utils import timezone
from PIL import Image

from apps.events import codes, issuing
from apps.events.codes import code_of, find_ticket
from apps.events.models import EventTicket, TicketCode
from apps.local_migration import legacy_files
from apps.local_migration.legacy_files import inspect
from apps.publishing import ticket_rendering, verification
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.local_tickets import json_code, local_path, make_local_ticket, old_qr_png
from tests.pictures import codes_in_pdf, codes_in_png
from tests.workers import publish

from .command import migrate

pytestmark = pytest.mark.django_db


def test_printed_code_stays_valid_and_new_files_carry_the_signed_code(cloudlet: RunningCloudlet) -> None:
    bare, rich = make_local_ticket(), make_local_ticket()
    payload = json_code(rich.ticket_id)
    local_path(rich).write_bytes(old_qr_png(payload))

    said = migrate()

    assert "2 moved; printed codes stay valid" in said
    for ticket, text in ((bare, str(bare.ticket_id)), (rich, payload)):
        old = local_path(ticket).read_bytes()
        ticket.refresh_from_db()
        assert ticket.state == EventTicket.State.READY
        png = ticket.qr_code.read()
        assert codes_in_png(png) == codes_in_pdf(ticket.pdf_ticket.read()) == [code_of(ticket)]
        assert Image.open(io.BytesIO(png)).size == (300, 300)
        assert find_ticket(text) == find_ticket(code_of(ticket)) == (ticket, True)
        assert local_path(ticket).read_bytes() == old, "the local file was changed"


# Texts that legacy software may have put into a code; `{}` is the ticket's id.
PRINTED = {
    "labelled id": "TICKET:{}",
    "link": "https://example.org/tickets/{}/?from=qr&x=1#top",
    "link without the id": "https://example.org/t/8fk2",
    "JSON of another kind": '{"id": "{}", "seat": "Ä 12"}',
    "lines": "Ticket ID: {}\r\nEvent: Konzert\n",
    "number": "000017",
    "spaces": "  {} ",
    "emoji": "🎫 Zoë",
    "as long as it gets": "x" * 2300,
}


@pytest.mark.parametrize("text", PRINTED.values(), ids=PRINTED.keys())
def test_exactly_the_printed_text_is_accepted(cloudlet: RunningCloudlet, text: str, tmp_path: Path) -> None:
    ticket = make_local_ticket(text=text)
    make_local_ticket()
    printed = text.replace("{}", str(ticket.ticket_id))
    assert find_ticket(printed)[1] == (text == "  {} "), "spaces around an id were always ignored"

    said = migrate(report=tmp_path / "report.csv")

    assert "2 moved; printed codes stay valid" in said
    assert "not valid for entry" not in said
    (line, _) = csv.DictReader((tmp_path / "report.csv").read_text().splitlines())
    assert (line["ticket"], line["finding"]) == (str(ticket.ticket_id), "printed_code")
    assert find_ticket(printed) == (ticket, True)
    for other in (printed + ".", printed + "\n\n", printed.swapcase(), printed[1:]):
        if other != printed and other.strip().lower() != str(ticket.ticket_id):
            assert find_ticket(other) == (None, False)

    ticket.refresh_from_db()
    issuing.reissue(ticket)
    assert find_ticket(printed) == (ticket, False), "as any earlier copy of a re-issued ticket"
    assert not TicketCode.objects.filter(ticket=ticket, dead_at=None).exists()


def test_printed_codes_of_tickets_moved_earlier_are_accepted(cloudlet: RunningCloudlet) -> None:
    """An earlier version accepted fewer codes. Nothing is re-rendered, and the next run reads no picture again."""
    ticket, gone, reissued = (make_local_ticket(text="TICKET:{}") for _ in range(3))
    printed = [f"TICKET:{one.ticket_id}" for one in (ticket, gone, reissued)]
    migrate()
    TicketCode.objects.filter(source=TicketCode.Source.PICTURE).delete()
    local_path(gone).unlink()
    reissued.refresh_from_db()
    issuing.reissue(reissued)
    publish(reissued.pk)

    dry = migrate("--dry-run")
    assert "       1 would have their printed code accepted" in dry
    assert "       2 on Cloudinary already: left alone" in dry
    with mock.patch.object(gateway, "upload", side_effect=AssertionError("uploaded again")):
        said = migrate()
    assert "       1 moved earlier; printed codes accepted now" in said
    assert "       2 on Cloudinary already: left alone" in said
    assert [find_ticket(text) for text in printed] == [(ticket, True), (None, False), (None, False)]

    with mock.patch.object(legacy_files, "read", side_effect=FileNotFoundError) as read:
        assert "       3 on Cloudinary already: left alone" in migrate()
    assert read.call_count == 1, "only the picture that is missing is looked for again"


def test_code_is_accepted_before_its_picture_is_deleted(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket(text="TICKET:{}")
    migrate()
    TicketCode.objects.filter(source=TicketCode.Source.PICTURE).delete()
    assert "1 local files deleted" in migrate("--delete-local")
    assert not local_path(ticket).exists()
    assert find_ticket(f"TICKET:{ticket.ticket_id}") == (ticket, True)


def test_code_shared_by_two_tickets_is_void_for_both(cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    first = make_local_ticket(text="ROW 7")
    assert "not valid for entry" not in migrate()
    assert find_ticket("ROW 7") == (first, True)

    second, third = make_local_ticket(text="ROW 7"), make_local_ticket(text="ROW 7")
    said = migrate(report=tmp_path / "report.csv")

    assert find_ticket("ROW 7") == (None, False)
    assert "2 re-rendered" in said
    for ticket in (second, third):
        assert f"⚠️ QR code file carries the same text as another ticket's for ticket {ticket.ticket_id}" in said
    assert "it reads “ROW 7”" in said
    assert f"like ticket {first.ticket_id}, whose code is void now too" in said
    assert "Its printed code is not valid for entry: the holder needs the new ticket." in said
    assert (
        "       3 tickets were printed with a code that is not valid for entry: send their holders the new files"
        in said
    )
    lines = list(csv.DictReader((tmp_path / "report.csv").read_text().splitlines()))
    assert [line["finding"] for line in lines] == ["shared_code", "shared_code"]
    for ticket in (first, second, third):
        ticket.refresh_from_db()
        assert find_ticket(code_of(ticket)) == (ticket, True), "the code of the new files is not valid"
    assert "carries the same text" in migrate(), "a later run does not report the shared code"
    assert find_ticket("ROW 7") == (None, False)


def test_published_files_with_a_shared_code_are_re_rendered(cloudlet: RunningCloudlet) -> None:
    """Files from before codes were signed carry the printed code, which is valid until it turns out to be shared."""
    first = make_local_ticket()
    with (
        mock.patch.object(ticket_rendering, "code_of", lambda ticket: str(ticket.ticket_id)),
        mock.patch.object(verification, "code_of", lambda ticket: str(ticket.ticket_id)),
    ):
        migrate()
    first.refresh_from_db()
    assert codes_in_png(first.qr_code.read()) == [str(first.ticket_id)]
    TicketCode.objects.update(created_at=timezone.now())  # by the migration to this version
    assert "1 local files deleted" in migrate("--delete-local")
    revision = first.revision

    make_local_ticket(text=str(first.ticket_id))
    migrate()
    first.refresh_from_db()
    assert (first.state, first.revision) == (EventTicket.State.PENDING, revision + 1)
    assert find_ticket(str(first.ticket_id)) == (None, False)


def test_json_code_that_names_another_ticket_is_shared_with_it(cloudlet: RunningCloudlet) -> None:
    named = make_local_ticket()
    text = json_code(named.ticket_id)
    assert find_ticket(text) == (named, True)
    ticket = make_local_ticket(text=text)
    assert f"for ticket {ticket.ticket_id}" in migrate()
    assert find_ticket(text) == (None, False)
    assert find_ticket(str(named.ticket_id)) == (named, True), "its own id is a different text"


def test_of_several_codes_in_a_picture_those_with_the_id_are_accepted() -> None:
    ticket = make_local_ticket(text="TICKET:{}")
    sheet = Image.new("L", (1000, 500), 255)
    for left, text in ((0, f"TICKET:{ticket.ticket_id}"), (500, "https://example.org")):
        sheet.paste(Image.open(io.BytesIO(old_qr_png(text))).resize((450, 450)), (left, 25))
    sheet.save(local_path(ticket))
    assert inspect(ticket).texts == (f"TICKET:{ticket.ticket_id}",)


def test_code_of_a_deleted_ticket_is_not_accepted_for_another() -> None:
    gone, other = make_local_ticket(), make_local_ticket()
    codes.accept({gone: ["ROW 7"]}, TicketCode.Source.PICTURE)
    gone.delete()
    assert find_ticket("ROW 7") == (None, False)
    assert codes.accept({other: ["ROW 7"]}, TicketCode.Source.PICTURE).shared == {other.pk: frozenset()}
    assert find_ticket("ROW 7") == (None, False)


def test_printed_code_is_void_after_a_reissue_but_not_after_import(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    migrate()
    ticket.refresh_from_db()
    assert (ticket.code_generation, find_ticket(str(ticket.ticket_id))) == (0, (ticket, True))

    issuing.reissue(ticket)
    publish(ticket.pk)

    ticket.refresh_from_db()
    assert find_ticket(str(ticket.ticket_id)) == (ticket, False)
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert code_of(ticket).startswith("AD1:")
