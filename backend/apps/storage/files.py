"""The kinds of a ticket's files, their public ids, and what storage returns about a file."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from uuid import UUID

SUFFIX_BYTES = 12  # 96 random bits


@dataclass(frozen=True, slots=True)
class FileKind:
    """One of the two kinds of a ticket's files.

    PDFs are `image` resources on purpose: their public id then has no extension, the URL adds `.pdf`, and Cloudinary
    can deliver pages as pictures.
    """

    name: str
    label: str
    folder: str
    extension: str
    media_type: str
    resource_type: str = "image"

    def public_id(self, event_id: int | str, ticket_id: UUID | str, suffix: str = "") -> str:
        """Return the public id of a ticket's file. `suffix` is the random suffix of a re-issued ticket, else empty."""
        return f"{self.folder}/{event_id}/ticket_{ticket_id}" + (f"_{suffix}" if suffix else "")


QR_CODE = FileKind("qr_code", "QR code", "tickets/qr_codes", "png", "image/png")
PDF_TICKET = FileKind("pdf_ticket", "PDF ticket", "tickets/pdf", "pdf", "application/pdf")
DELIVERY_TYPES = ("authenticated", "upload")  # the values of CLOUDINARY_DELIVERY_TYPE
KINDS = (QR_CODE, PDF_TICKET)
# The public id of a ticket's file.
TICKET_FILE = re.compile(
    r"tickets/(?:qr_codes|pdf)/(?P<event>\d{1,18})/ticket_(?P<ticket>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?:_(?P<suffix>[0-9a-f]{16,64}))?"
)


def new_suffix() -> str:
    """Return a random suffix for the public ids of a re-issued ticket, which cannot be guessed from earlier ones."""
    return secrets.token_hex(SUFFIX_BYTES)


def kind_of(public_id: str) -> FileKind:
    """Return the kind of file that a public id stands for, QR_CODE for one outside of our folders."""
    return PDF_TICKET if public_id.startswith(PDF_TICKET.folder + "/") else QR_CODE


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file. `etag` is the hexadecimal MD5 digest of its bytes."""

    public_id: str
    version: int
    etag: str


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a listing. `size` is in bytes. `etag` is empty if listings omit it, as Cloudinary's do."""

    resource_type: str
    delivery_type: str
    public_id: str
    version: int
    size: int
    etag: str
    tags: frozenset[str] = frozenset()
