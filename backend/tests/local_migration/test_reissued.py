"""Test that re-issued tickets are imported and exported like others, and that their old links stay dead."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3

from apps.events import issuing
from apps.events.codes import code_of
from apps.events.models import EventTicket
from apps.publishing import deletions, requests
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import make_ticket
from tests.local_tickets import local_path, make_local_ticket
from tests.pictures import codes_in_png
from tests.workers import publish

from .command import migrate

pytestmark = pytest.mark.django_db(transaction=True)


def published(ticket: EventTicket) -> list[str]:
    """Publish the ticket and return the links to its files."""
    assert publish(ticket.pk) == EventTicket.State.READY
    ticket.refresh_from_db()
    return [ticket.qr_code.url, ticket.pdf_ticket.url]


def statuses(links: list[str]) -> list[int]:
    return [urllib3.request("GET", link, timeout=10, retries=False).status for link in links]


def test_reissued_ticket_can_be_exported_and_imported_again(cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    ticket = make_ticket()
    before = published(ticket)
    issuing.reissue(ticket)
    links = published(ticket)
    deletions.delete_due()
    migrate("--to-local")
    ticket.refresh_from_db()
    assert codes_in_png(local_path(ticket).read_bytes()) == [code_of(ticket)]

    migrate()
    ticket.refresh_from_db()
    assert ticket.has_files
    assert statuses(links) == statuses([ticket.qr_code.url, ticket.pdf_ticket.url]) == [200, 200]
    assert statuses(before) == [404, 404]


def test_reissue_after_export_deletes_the_old_files_on_cloudinary(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    before = published(ticket)
    migrate("--to-local")
    issuing.reissue(EventTicket.objects.get(pk=ticket.pk))
    ticket.refresh_from_db()
    assert local_path(ticket).exists(), "the row does not name the exported file"
    links = published(ticket)
    deletions.delete_due()
    assert statuses(before) == [404, 404]
    assert statuses(links) == [200, 200]
    assert local_path(ticket).exists()


def test_ticket_reissued_before_import_is_stored_at_a_new_place(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    name = ticket.qr_code.name
    issuing.reissue(ticket)
    assert ticket.local_files == {"qr_code": name}
    migrate()
    ticket.refresh_from_db()
    assert ticket.has_files
    assert ticket.qr_code_cloudinary_id == ticket.public_id_of(gateway.QR_CODE)
    assert ticket.public_id_suffix in ticket.qr_code_cloudinary_id
    assert ticket.qr_code_local == name
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]


def test_force_moves_a_reissued_ticket_from_its_first_place(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    before = published(ticket)
    EventTicket.objects.update(code_generation=1)  # by a version that left the files where they were
    requests.rerender(ticket)
    published(ticket)
    migrate("--force")
    deletions.delete_due()
    ticket.refresh_from_db()
    assert statuses(before) == [404, 404]
    assert statuses([ticket.qr_code.url, ticket.pdf_ticket.url]) == [200, 200]
