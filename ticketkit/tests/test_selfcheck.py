"""The self-check reads codes from rendered files and rejects tickets that do not scan."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

import pytest
from PIL import Image, ImageFilter

from ticketkit import EventDetails, EventTemplate, RenderedTicket, RenderingError, TicketDetails
from ticketkit.codes.tokens import SigningKey
from ticketkit.rendering.qr.drawing import render_qr_png
from ticketkit.rendering.selfcheck import check_ticket, read_codes

CODE = SigningKey(1, bytes(32)).sign(1, UUID(int=7), 0)


@pytest.fixture(scope="module")
def ticket() -> RenderedTicket:
    event = EventDetails(title="Concert Night", starts_at=datetime(2026, 1, 15, 19, tzinfo=UTC), venue="Town Hall")
    return EventTemplate(event).render(TicketDetails(ticket_id="ticket-123", code=CODE, holder="John Doe"))


def png_of(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("dpi", [60, 100, 150, 300])
def test_the_code_is_read_from_the_pdf_at_every_resolution(ticket: RenderedTicket, dpi: int) -> None:
    assert read_codes(ticket.pdf, dpi) == [CODE]


def test_the_code_is_read_from_the_png(ticket: RenderedTicket) -> None:
    assert read_codes(ticket.qr_png) == [CODE]


def test_a_good_ticket_passes(ticket: RenderedTicket) -> None:
    check_ticket(ticket, CODE)


def test_another_code_is_rejected(ticket: RenderedTicket) -> None:
    with pytest.raises(RenderingError, match="PNG does not scan: it shows another code"):
        check_ticket(replace(ticket, qr_png=render_qr_png("AD1:OTHER")), CODE)


def test_a_pdf_without_a_code_is_rejected(ticket: RenderedTicket) -> None:
    buffer = BytesIO()
    Image.new("L", (400, 600), "white").save(buffer, "PDF")
    with pytest.raises(RenderingError, match="PDF at 60 dpi does not scan: it shows no code"):
        check_ticket(replace(ticket, pdf=buffer.getvalue()), CODE)


def test_a_blurred_code_is_rejected(ticket: RenderedTicket) -> None:
    blurred = Image.open(BytesIO(ticket.qr_png)).convert("L").filter(ImageFilter.GaussianBlur(9))
    with pytest.raises(RenderingError, match="shows no code"):
        check_ticket(replace(ticket, qr_png=png_of(blurred)), CODE)


def test_two_codes_are_rejected(ticket: RenderedTicket) -> None:
    both = Image.new("L", (600, 300), "white")
    for n, code in enumerate((CODE, "second")):
        both.paste(Image.open(BytesIO(render_qr_png(code))), (300 * n, 0))
    with pytest.raises(RenderingError, match="shows 2 codes"):
        check_ticket(replace(ticket, qr_png=png_of(both)), CODE)


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7 but nothing else", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_picture_is_rejected(data: bytes) -> None:
    with pytest.raises(RenderingError, match="read"):
        read_codes(data)


def test_a_raster_with_too_many_pixels_is_rejected(ticket: RenderedTicket) -> None:
    with pytest.raises(RenderingError, match="lower the dpi"):
        read_codes(ticket.pdf, 2400)


def test_control_characters_are_read_unchanged() -> None:
    assert read_codes(render_qr_png("a\x1db\nc")) == ["a\x1db\nc"]
