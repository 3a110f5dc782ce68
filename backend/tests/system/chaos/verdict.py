"""What is wrong when everything has calmed down: by the rows, by the files themselves, and by the doctor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from uuid import UUID

from apps.events import codes
from apps.events.models import Event, EventTicket
from apps.publishing import fingerprints, invalidation
from apps.publishing.models import ChangedEvent, StoredFileDeletion
from apps.storage import gateway
from apps.storage_checks import doctor
from apps.storage_checks.inventory import Inventory
from tests.pictures import codes_in_png

State = EventTicket.State
CHUNK = 500


def owed() -> bool:
    """Whether anything is left to do."""
    return bool(
        ChangedEvent.objects.exists()
        or StoredFileDeletion.objects.exists()
        or EventTicket.objects.exclude(state=State.READY).exists()
        or invalidation.notice_changes()
    )


def listed(path: Path) -> set[str]:
    """The public ids of everything below `tickets/`."""
    with Inventory(path) as inventory:
        inventory.take()
        return {file.public_id for file in inventory.in_place()}


def findings(event: Event, expected: Set[UUID], strangers: Set[str], path: Path) -> Iterator[str]:
    """What is wrong. `expected` are the tickets that there must be, `strangers` the files of other tests."""
    there = set(EventTicket.objects.filter(event=event).values_list("ticket_id", flat=True))
    yield from (f"{ticket_id} was issued, and is gone" for ticket_id in expected - there)
    yield from (f"{ticket_id} was deleted, or never issued" for ticket_id in there - expected)
    for ticket in EventTicket.objects.exclude(state=State.READY):
        yield f"{ticket.ticket_id} is {ticket.state}: {ticket.reason}"
    for row in StoredFileDeletion.objects.all():
        yield f"{row.name} is not deleted: {row.reason}"
    rows = EventTicket.objects.filter(event=event, state=State.READY).select_related("event").order_by("pk")
    faces_now = fingerprints.ticket_faces(fingerprints.with_what_is_printed(Event.objects.all()).get(pk=event.pk))
    for start in range(0, rows.count(), CHUNK):
        yield from _by_the_files(rows[start : start + CHUNK], faces_now)
    yield from _by_the_doctor(strangers, path)


def _by_the_files(rows: Iterable[EventTicket], faces_now: Mapping[int | None, str]) -> Iterator[str]:
    rows = list(rows)
    pictures, pages = (gateway.crew().map(lambda row, kind=kind: _fetch(kind, row), rows) for kind in gateway.KINDS)
    for row, png, pdf in zip(rows, pictures, pages, strict=True):
        for kind, content in ((gateway.QR_CODE, png), (gateway.PDF_TICKET, pdf)):
            if _md5(content) != getattr(row, f"{kind.name}_etag"):
                yield f"{kind.label} of {row.ticket_id} is not what its row says"
        if png and codes_in_png(png) != [codes.code_of(row)]:
            yield f"{row.ticket_id} has another code in its picture"
        if not shows(row, faces_now):
            yield f"{row.ticket_id} shows what was"


def _fetch(kind: gateway.FileKind, row: EventTicket) -> bytes:
    try:
        return gateway.fetch(kind, getattr(row, f"{kind.name}_cloudinary_id"), getattr(row, f"{kind.name}_version"))
    except gateway.MediaError:
        return b""  # whose digest is nobody's


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _by_the_doctor(strangers: Set[str], path: Path) -> Iterator[str]:
    with Inventory(path) as inventory:
        inventory.take()
        assert inventory.is_complete
        for finding in doctor.examine(inventory):
            if finding.public_id not in strangers:
                yield f"the doctor: {finding.problem.value} {finding}"


def shows(ticket: EventTicket, faces_now: Mapping[int | None, str]) -> bool:
    """Whether the files of a ticket show its event and its own values as they are now."""
    return ticket.published_face.startswith(faces_now[ticket.ticket_type_id]) and fingerprints.shows_its_values(ticket)
