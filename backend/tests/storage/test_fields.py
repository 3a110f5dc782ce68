"""TicketStorage fulfils Django's contract of a storage for published and for local files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import urllib3
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.utils import timezone

from apps.events import issuing
from apps.events.models import EventTicket
from apps.publishing import deletions
from apps.storage import gateway
from apps.storage.fields import TicketStorage
from cloudlet.testing import RunningCloudlet
from tests.factories import make_ticket
from tests.faults import faults
from tests.pictures import codes_in_png
from tests.storage_calls import StorageCalls
from tests.workers import publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

FIELDS = ("qr_code", "pdf_ticket")


@pytest.fixture(autouse=True)
def _media_root(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def ticket(cloudlet: RunningCloudlet) -> EventTicket:
    return published(make_ticket())


def published(ticket: EventTicket) -> EventTicket:
    assert publish(ticket.pk) == EventTicket.State.READY
    ticket.refresh_from_db()
    return ticket


@pytest.fixture
def storage() -> TicketStorage:
    return TicketStorage()


@pytest.fixture
def offline(ticket: EventTicket) -> Iterator[None]:
    """Fail the test if it calls storage after the ticket is published."""
    error = AssertionError("the network was called")
    with (
        mock.patch.object(gateway._downloads, "request", side_effect=error),
        mock.patch.object(gateway._pool, "request", side_effect=error),
    ):
        yield


def never_published(ticket: EventTicket) -> str:
    return f"tickets/qr_codes/{ticket.event_id}/ticket_{make_ticket().ticket_id}.png"


TESTED = {
    "open", "save", "delete", "exists", "listdir", "size", "url", "path", "get_accessed_time", "get_created_time",
    "get_modified_time", "get_valid_name", "get_alternative_name", "get_available_name", "generate_filename",
    "is_name_available",
}  # fmt: skip


def test_every_public_method_of_a_django_storage_is_tested_here() -> None:
    assert {name for name, _ in inspect.getmembers(Storage, inspect.isfunction) if not name.startswith("_")} == TESTED


# -- Published files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS)
def test_published_file_has_content_size_and_url(ticket: EventTicket, storage: TicketStorage, field: str) -> None:
    file = getattr(ticket, field)
    content = storage.open(file.name).read()
    assert file.size == storage.size(file.name) == len(content) == len(file.read()) > 100
    assert file.url.endswith(file.name)
    assert storage.url(file.name).endswith(file.name)
    assert urllib3.request("GET", storage.url(file.name), timeout=10).data == content


def test_qr_code_has_dimensions(ticket: EventTicket) -> None:
    assert (ticket.qr_code.width, ticket.qr_code.height) == (300, 300)


def test_size_takes_one_head_request_and_no_admin_api_call(cloudlet: RunningCloudlet, ticket: EventTicket) -> None:
    with StorageCalls(cloudlet).watching() as calls:
        assert ticket.pdf_ticket.size > 100
        calls.fetch()
    assert (calls.total("delivery"), calls.total("admin")) == (1, 0)
    with mock.patch.object(gateway._downloads, "request", wraps=gateway._downloads.request) as request:
        assert ticket.pdf_ticket.size > 100
    assert request.call_args.args[0] == "HEAD"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("field", FIELDS)
def test_existence_and_time_are_read_from_the_database(ticket: EventTicket, storage: TicketStorage, field: str) -> None:
    name, missing = getattr(ticket, field).name, never_published(ticket)
    assert (storage.exists(name), storage.exists(missing)) == (True, False)
    assert (storage.is_name_available(name), storage.is_name_available(missing)) == (False, True)
    assert storage.get_modified_time(name) == ticket.published_at
    assert storage.get_available_name(missing) == missing
    other = storage.get_available_name(name)
    assert other != name
    assert other.rpartition(".")[2] == name.rpartition(".")[2]
    assert not storage.exists(other)


@pytest.mark.usefixtures("offline")
def test_unknown_file_is_not_found_without_a_request(ticket: EventTicket, storage: TicketStorage) -> None:
    """The CDN would cache the 404, also for a ticket that is published under this name a moment later."""
    missing = never_published(ticket)
    methods: tuple[Callable[[str], object], ...] = (storage.open, storage.size, storage.get_modified_time)
    for method in methods:
        with pytest.raises(FileNotFoundError, match="No ticket has a file"):
            method(missing)


@pytest.mark.parametrize("method", ["open", "size"])
def test_file_missing_on_storage_is_not_found(ticket: EventTicket, storage: TicketStorage, method: str) -> None:
    gateway.destroy(gateway.QR_CODE, ticket.qr_code_cloudinary_id)
    with pytest.raises(FileNotFoundError, match="ticket_doctor --fix makes it again"):
        getattr(storage, method)(ticket.qr_code.name)


@pytest.mark.parametrize("method", ["open", "size"])
def test_storage_failure_is_not_a_missing_file(
    cloudlet: RunningCloudlet, ticket: EventTicket, storage: TicketStorage, method: str
) -> None:
    with (
        faults(cloudlet, {"call": "delivery", "kind": "error", "status": 503}),
        pytest.raises(gateway.MediaError, match="Injected fault"),
    ):
        getattr(storage, method)(ticket.qr_code.name)


@pytest.mark.usefixtures("offline")
def test_unsupported_operations_raise_not_implemented(ticket: EventTicket, storage: TicketStorage) -> None:
    name = ticket.qr_code.name or ""
    methods: tuple[Callable[[str], object], ...] = (
        storage.path, storage.delete, storage.get_accessed_time, storage.get_created_time,
    )  # fmt: skip
    for method in methods:
        with pytest.raises(NotImplementedError):
            method(name)
    for taken in (name, never_published(ticket)):
        with pytest.raises(NotImplementedError, match=r"Only apps\.publishing"):
            storage.save(taken, ContentFile(b"png"))
    with pytest.raises(ValueError, match="read-only"):
        storage.open(name, "wb")


@pytest.mark.usefixtures("offline")
def test_folders_of_published_files_are_listed(ticket: EventTicket, storage: TicketStorage) -> None:
    neighbour = make_ticket()  # without files
    assert storage.listdir("tickets") == (["pdf", "qr_codes"], [])
    assert storage.listdir("tickets/qr_codes/") == ([str(ticket.event_id)], [])
    for field in FIELDS:
        folder, _, name = (getattr(ticket, field).name or "").rpartition("/")
        assert storage.listdir(folder) == ([], [name])
    for missing in (f"tickets/pdf/{neighbour.event_id}", "tickets/pdf/logo", "tickets/none", "none"):
        with pytest.raises(FileNotFoundError):
            storage.listdir(missing)
    storage.save("note.txt", ContentFile(b"text"))
    assert storage.listdir("") == (["tickets"], ["note.txt"])


def test_after_a_reissue_only_the_new_files_exist(ticket: EventTicket, storage: TicketStorage) -> None:
    before = ticket.qr_code.name or ""
    issuing.reissue(ticket)
    assert not storage.exists(before)
    published(ticket)
    deletions.delete_due()
    assert (storage.exists(before), storage.exists(ticket.qr_code.name or "")) == (False, True)
    assert ticket.qr_code.size == len(storage.open(ticket.qr_code.name or "").read())
    assert codes_in_png(ticket.qr_code.read())


# -- Names, and files in local storage ---------------------------------------------------------------------------


def test_names_are_made_as_django_makes_them(storage: TicketStorage) -> None:
    assert storage.get_valid_name("a b/c.png") == "a_bc.png"
    assert storage.generate_filename("qr_codes/a b.png") == "qr_codes/a_b.png"
    alternative = storage.get_alternative_name("ticket", ".png")
    assert alternative != "ticket.png"
    assert alternative.startswith("ticket_")
    assert alternative.endswith(".png")
    assert not storage.is_name_available("x" * 300, max_length=255)


def test_local_files_behave_as_in_django(storage: TicketStorage, settings: Any) -> None:
    name = storage.save("qr_codes/old.png", ContentFile(b"png"))
    assert storage.exists(name)
    assert storage.size(name) == 3
    with storage.open(name) as file:
        assert file.read() == b"png"
    assert storage.path(name) == str(Path(settings.MEDIA_ROOT) / name)
    assert storage.listdir("qr_codes") == ([], ["old.png"])
    assert storage.url(name).endswith("qr_codes/old.png")
    for moment in (storage.get_accessed_time, storage.get_created_time, storage.get_modified_time):
        assert abs(moment(name) - timezone.now()) < timedelta(minutes=1)
    assert storage.save(name, ContentFile(b"other")) != name
    storage.delete(name)
    assert not storage.exists(name)
