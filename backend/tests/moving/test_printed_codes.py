"""Tickets move from local files to Cloudinary, and the codes that were printed live on."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from apps.events import tickets
from apps.events.codes import code_of, find_ticket
from apps.events.models import EventTicket
from apps.events.publishing import publisher
from cloudlet.testing import RunningCloudlet
from tests.local_tickets import json_code, local_path, make_local_ticket, old_qr_png
from tests.pictures import codes_in_pdf, codes_in_png

from .command import migrate

pytestmark = pytest.mark.django_db


def test_the_new_files_carry_the_very_text_that_was_printed(cloudlet: RunningCloudlet) -> None:
    bare = make_local_ticket()
    rich = make_local_ticket()
    payload = json_code(rich.ticket_id)
    local_path(rich).write_bytes(old_qr_png(payload))

    said = migrate()

    assert "2 moved, with the code that was printed" in said
    for ticket, text in ((bare, str(bare.ticket_id)), (rich, payload)):
        old = local_path(ticket).read_bytes()
        ticket.refresh_from_db()
        assert ticket.state == EventTicket.State.READY
        png = ticket.qr_code.read()
        assert codes_in_png(png) == codes_in_pdf(ticket.pdf_ticket.read()) == [text]
        assert Image.open(io.BytesIO(png)).size == (300, 300)
        assert find_ticket(text) == (ticket, True)
        assert local_path(ticket).read_bytes() == old, "the local file stays as it is"


def test_moving_is_not_reissuing_but_reissuing_kills_the_printed_code(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    migrate()
    ticket.refresh_from_db()
    assert (ticket.code_generation, code_of(ticket)) == (0, str(ticket.ticket_id))

    tickets.reissue(ticket)
    publisher.publish(ticket.pk)

    ticket.refresh_from_db()
    assert find_ticket(str(ticket.ticket_id)) == (ticket, False)
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert code_of(ticket).startswith("AD1:")
