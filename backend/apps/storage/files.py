"""The files of a ticket as storage knows them: what kinds there are, where each has its place, what is told of one."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from uuid import UUID

SUFFIX_BYTES = 12  # 96 random bits


@dataclass(frozen=True, slots=True)
class FileKind:
    """What one of a ticket's two files is. The resource type is stated here and nowhere else.

    PDFs are `image` resources on purpose: their public id then has no extension, the URL adds `.pdf`, and pages can
    be shown as pictures.
    """

    name: str
    label: str
    folder: str
    extension: str
    media_type: str
    resource_type: str = "image"

    def public_id(self, event_id: int | str, ticket_id: UUID | str, suffix: str = "") -> str:
        """The public id of a ticket's file. `suffix` is that of a re-issued ticket's row, empty before the first."""
        return f"{self.folder}/{event_id}/ticket_{ticket_id}" + (f"_{suffix}" if suffix else "")


QR_CODE = FileKind("qr_code", "QR code", "tickets/qr_codes", "png", "image/png")
PDF_TICKET = FileKind("pdf_ticket", "PDF ticket", "tickets/pdf", "pdf", "application/pdf")
DELIVERY_TYPES = ("authenticated", "upload")  # that CLOUDINARY_DELIVERY_TYPE may name
KINDS = (QR_CODE, PDF_TICKET)
# A ticket file's public id: the event's id, the ticket's, and the suffix of a re-issued ticket.
TICKET_FILE = re.compile(
    r"tickets/(?:qr_codes|pdf)/(?P<event>\d{1,18})/ticket_(?P<ticket>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?:_(?P<suffix>[0-9a-f]{16,64}))?"
)


def new_suffix() -> str:
    """Return a random end for the public ids of a re-issued ticket. It does not follow from earlier ones."""
    return secrets.token_hex(SUFFIX_BYTES)


def kind_of(public_id: str) -> FileKind:
    """Which kind of file a public id names; ids outside our folders are taken for pictures."""
    return PDF_TICKET if public_id.startswith(PDF_TICKET.folder + "/") else QR_CODE


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What storage said about a file that it has taken: `etag` is the MD5 of the bytes, in hex."""

    public_id: str
    version: int
    etag: str


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as a listing tells of it. `etag` is empty where listings leave it out, as Cloudinary's do.

    `tags` are those that it was uploaded with, or given since in the account's console.
    """

    resource_type: str
    delivery_type: str
    public_id: str
    version: int
    size: int
    etag: str
    tags: frozenset[str] = frozenset()
