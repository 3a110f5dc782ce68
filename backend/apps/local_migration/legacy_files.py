"""Inspect the QR code files that tickets had on local storage before Cloudinary.

The files are untrusted input: they may be missing, damaged, replaced, or anything but a picture.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from django.core.exceptions import SuspiciousOperation

from apps.events import codes
from apps.events.models import EventTicket
from ticketkit import InvalidCodeError, is_signed_form

from . import qr_reader


class FileStatus(StrEnum):
    """The state of a ticket's local QR code file. The values appear in reports and never change."""

    PRINTED_CODE = "printed_code"
    CURRENT_CODE = "current_code"
    OLD_CODE = "old_code"
    NO_FILE = "no_file"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_A_PICTURE = "not_a_picture"
    DAMAGED = "damaged"
    NO_CODE = "no_code"
    FOREIGN_CODE = "foreign_code"
    SHARED_CODE = "shared_code"

    @property
    def keeps_code(self) -> bool:
        """Return whether the printed code of the file stays valid."""
        return self in (FileStatus.PRINTED_CODE, FileStatus.CURRENT_CODE)

    @property
    def is_expected(self) -> bool:
        """Return whether the file needs no attention from an operator."""
        return self.keeps_code or self in (FileStatus.OLD_CODE, FileStatus.NO_FILE)


STATUS_TEXTS = {
    FileStatus.MISSING: "not found",
    FileStatus.UNREADABLE: "can't be read",
    FileStatus.EMPTY: "is empty",
    FileStatus.TOO_LARGE: "is too large",
    FileStatus.NOT_A_PICTURE: "is not a picture",
    FileStatus.DAMAGED: "is damaged",
    FileStatus.NO_CODE: "shows no code of this system",
    FileStatus.FOREIGN_CODE: "carries another ticket's code",
    FileStatus.SHARED_CODE: "carries the same text as another ticket's",
}
# If a picture shows several codes, the first of these that occurs is the status of the file.
PRECEDENCE = (
    FileStatus.CURRENT_CODE,
    FileStatus.PRINTED_CODE,
    FileStatus.OLD_CODE,
    FileStatus.FOREIGN_CODE,
    FileStatus.NO_CODE,
)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A ticket's local QR code file. `texts` are the contents of its codes if they are the ticket's printed code.

    `is_rejected`: the file shows a code, probably the printed one, that check-in does not accept for this ticket.
    `conflicts`: the ids of other tickets for which one of the texts was accepted until now.
    """

    status: FileStatus
    name: str = ""
    detail: str = ""
    texts: tuple[str, ...] = ()
    is_rejected: bool = False
    conflicts: frozenset[UUID] = frozenset()

    def shared_with(self, tickets: frozenset[UUID]) -> LocalFile:
        """Return the file with the status SHARED_CODE: the given tickets have the same text, valid for none."""
        conflicts = self.conflicts | tickets
        names = " and ".join(map(str, sorted(conflicts)))
        also = f", like ticket {names}, whose code is void now too" if conflicts else ""
        detail = f"it reads “{_excerpt(self.texts[0])}”{also}"
        return replace(self, status=FileStatus.SHARED_CODE, detail=detail, is_rejected=True, conflicts=conflicts)

    def warning(self, ticket: EventTicket) -> str:
        """Return one line with cause and cure, or "" if the file needs no attention."""
        if self.status.is_expected:
            return ""
        if self.is_rejected:
            return f"{self._cause(ticket)} Its printed code is not valid for entry: the holder needs the new ticket."
        cure = "The ticket gets new files; a printed code that is its id, or JSON with it, stays valid."
        return f"{self._cause(ticket)} {cure}"

    def why_kept(self, ticket: EventTicket) -> str:
        """Return one line about a file that `--delete-local` keeps, or "" if it does not keep the file."""
        if self.is_replaceable:
            return ""
        return f"{self._cause(ticket)} It stays where it is; the ticket has files of its own on Cloudinary."

    @property
    def is_replaceable(self) -> bool:
        """Return whether a verified file on Cloudinary replaces the local one. Any other file is kept as evidence."""
        return self.status.is_expected or self.status is FileStatus.MISSING

    def _cause(self, ticket: EventTicket) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"⚠️ QR code file {STATUS_TEXTS[self.status]} for ticket {ticket.ticket_id}: {self.name}{detail}."


def inspect(ticket: EventTicket) -> LocalFile:
    """Read and scan the ticket's local QR code file, of at most `qr_reader.MAX_BYTES`. Never raise for a bad file."""
    name = ticket.local_files.get("qr_code", "")
    if not name:
        return LocalFile(FileStatus.NO_FILE)
    try:
        content = read(ticket, name)
        texts = qr_reader.codes_in_picture(content) if content else None
    except FileNotFoundError:
        return LocalFile(FileStatus.MISSING, name, "the local file was deleted, or MEDIA_ROOT is another folder")
    except (OSError, SuspiciousOperation) as error:
        return LocalFile(FileStatus.UNREADABLE, name, str(error))
    except qr_reader.UnreadablePictureError as error:
        return LocalFile(FileStatus(error.reason), name, str(error))
    if texts is None:
        return LocalFile(FileStatus.EMPTY, name)
    codes_found = {text: _classify(ticket, text) for text in texts}
    status, detail = min(
        codes_found.values(), key=lambda found: PRECEDENCE.index(found[0]), default=(FileStatus.NO_CODE, "")
    )
    is_rejected = bool(texts) and status in (FileStatus.NO_CODE, FileStatus.FOREIGN_CODE)
    printed = _printed(ticket, [text for text in texts if codes_found[text][0] is FileStatus.PRINTED_CODE])
    return LocalFile(status, name, detail, printed if status is FileStatus.PRINTED_CODE else (), is_rejected)


def read(ticket: EventTicket, name: str) -> bytes:
    """Return the bytes of a local file.

    Raises SuspiciousOperation for a name outside the media folder, UnreadablePictureError for more than
    `qr_reader.MAX_BYTES`, and OSError for what is no regular file or can't be read. The name comes from a legacy
    database, so it may name a pipe, whose reading would never end.
    """
    path = ticket.qr_code.storage.path(name)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        if status.st_size > qr_reader.MAX_BYTES:
            message = f"{status.st_size:,} bytes, more than {qr_reader.MAX_BYTES:,}"
            raise qr_reader.UnreadablePictureError("too_large", message)
        return file.read(qr_reader.MAX_BYTES)


def _classify(ticket: EventTicket, text: str) -> tuple[FileStatus, str]:
    """Return what the scanned text is for the ticket, and a detail for the operator or ""."""
    if text == codes.code_of(ticket):
        return FileStatus.CURRENT_CODE, ""
    if not is_signed_form(text):
        if not codes.can_be_accepted(text):
            return FileStatus.NO_CODE, "its code is empty"
        return (FileStatus.OLD_CODE if ticket.code_generation else FileStatus.PRINTED_CODE), ""
    try:
        named = codes.keyring().read(text).ticket_id
    except InvalidCodeError as error:
        return FileStatus.NO_CODE, f"it reads “{_excerpt(text)}”; {error}"
    return (FileStatus.OLD_CODE, "") if named == ticket.ticket_id else (FileStatus.FOREIGN_CODE, f"it names {named}")


def _printed(ticket: EventTicket, texts: Collection[str]) -> tuple[str, ...]:
    """Return the texts of one picture to accept: those with the ticket's id, or all if none has it.

    A poster may show other QR codes, such as an advertisement's link.
    """
    return tuple(text for text in texts if str(ticket.ticket_id) in text.lower()) or tuple(texts)


def _excerpt(text: str) -> str:
    """Return the first 60 characters of untrusted text as one printable line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:60]
