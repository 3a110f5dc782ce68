"""Reads the QR code files from before Cloudinary, which may have become anything in the meantime."""

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
from ticketkit import InvalidCode, is_signed_form

from . import qr_reader


class Finding(StrEnum):
    """What a ticket's local QR code file turned out to be. The values appear in reports and never change."""

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
        """Whether what was printed from the file lets the ticket's holder in."""
        return self in (Finding.PRINTED_CODE, Finding.CURRENT_CODE)

    @property
    def is_expected(self) -> bool:
        """Whether there is nothing here that an operator would want to look at."""
        return self.keeps_code or self in (Finding.OLD_CODE, Finding.NO_FILE)


WORDS = {
    Finding.MISSING: "not found",
    Finding.UNREADABLE: "can't be read",
    Finding.EMPTY: "is empty",
    Finding.TOO_LARGE: "is too large",
    Finding.NOT_A_PICTURE: "is not a picture",
    Finding.DAMAGED: "is damaged",
    Finding.NO_CODE: "shows no code of this system",
    Finding.FOREIGN_CODE: "carries another ticket's code",
    Finding.SHARED_CODE: "carries the same text as another ticket's",
}
# Of several codes in one picture, the first of these is what the picture is.
PRECEDENCE = (
    Finding.CURRENT_CODE,
    Finding.PRINTED_CODE,
    Finding.OLD_CODE,
    Finding.FOREIGN_CODE,
    Finding.NO_CODE,
)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A ticket's local QR code file. `texts` are what it says, when that is the ticket's printed code.

    `opens_nothing`: a code was seen that no door takes for this ticket's, and it is probably what was printed.
    `rivals`: the ids of tickets that had one of the texts until this one turned up.
    """

    finding: Finding
    name: str = ""
    detail: str = ""
    texts: tuple[str, ...] = ()
    opens_nothing: bool = False
    rivals: frozenset[UUID] = frozenset()

    def shared_with(self, rivals: frozenset[UUID]) -> LocalFile:
        """The same file, now that another ticket is known to claim what it says."""
        rivals |= self.rivals
        names = f", like ticket {' and '.join(map(str, sorted(rivals)))}, whose code is void now too" if rivals else ""
        detail = f"it reads “{_in_one_line(self.texts[0])}”{names}"
        return replace(self, finding=Finding.SHARED_CODE, detail=detail, opens_nothing=True, rivals=rivals)

    def warning(self, ticket: EventTicket) -> str:
        """One line with cause and cure, empty when all is as it should be."""
        if self.finding.is_expected:
            return ""
        if self.opens_nothing:
            return f"{self._cause(ticket)} What was printed from it opens no door: the holder needs the new ticket."
        cure = "The ticket gets a fresh file; a printed code that is its id, or JSON with it, stays valid."
        return f"{self._cause(ticket)} {cure}"

    def why_kept(self, ticket: EventTicket) -> str:
        """One line about a file that stays when those that were moved are deleted, empty for others."""
        if self.finding.is_expected or self.finding is Finding.MISSING:
            return ""
        return f"{self._cause(ticket)} It stays where it is; the ticket has files of its own on Cloudinary."

    def _cause(self, ticket: EventTicket) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"⚠️ QR code file {WORDS[self.finding]} for ticket {ticket.ticket_id}: {self.name}{detail}."


def examine(ticket: EventTicket) -> LocalFile:
    """What the ticket's local QR code file is. Reads one file of bounded size, and nothing else."""
    name = ticket.local_files.get("qr_code", "")
    if not name:
        return LocalFile(Finding.NO_FILE)
    try:
        content = read(ticket, name)
        texts = qr_reader.codes_in_picture(content) if content else None
    except FileNotFoundError:
        return LocalFile(Finding.MISSING, name, "the local file was deleted, or MEDIA_ROOT is another folder")
    except (OSError, SuspiciousOperation) as error:
        return LocalFile(Finding.UNREADABLE, name, str(error))
    except qr_reader.UnreadablePicture as error:
        return LocalFile(Finding(error.reason), name, str(error))
    if texts is None:
        return LocalFile(Finding.EMPTY, name)
    judged = {text: _judge(ticket, text) for text in texts}
    finding, detail = min(judged.values(), key=lambda one: PRECEDENCE.index(one[0]), default=(Finding.NO_CODE, ""))
    opens_nothing = bool(texts) and finding in (Finding.NO_CODE, Finding.FOREIGN_CODE)
    printed = _printed(ticket, [text for text in texts if judged[text][0] is Finding.PRINTED_CODE])
    return LocalFile(finding, name, detail, printed if finding is Finding.PRINTED_CODE else (), opens_nothing)


def read(ticket: EventTicket, name: str) -> bytes:
    """The bytes of a local file. Raises OSError, SuspiciousOperation, or UnreadablePicture when there are too many.

    The name comes from the database of old, so it may lead out of the media folder, or to a pipe that never ends.
    """
    path = ticket.qr_code.storage.path(name)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        if status.st_size > qr_reader.MAX_BYTES:
            message = f"{status.st_size:,} bytes, more than {qr_reader.MAX_BYTES:,}"
            raise qr_reader.UnreadablePicture("too_large", message)
        return file.read(qr_reader.MAX_BYTES)


def _judge(ticket: EventTicket, text: str) -> tuple[Finding, str]:
    """What one scanned text is to the ticket, and what to tell about it."""
    if text == codes.code_of(ticket):
        return Finding.CURRENT_CODE, ""
    if not is_signed_form(text):
        if not codes.can_be_accepted(text):
            return Finding.NO_CODE, "its code is empty"
        return (Finding.OLD_CODE if ticket.code_generation else Finding.PRINTED_CODE), ""
    try:
        named = codes.keyring().read(text).ticket_id
    except InvalidCode as error:
        return Finding.NO_CODE, f"it reads “{_in_one_line(text)}”; {error}"
    return (Finding.OLD_CODE, "") if named == ticket.ticket_id else (Finding.FOREIGN_CODE, f"it names {named}")


def _printed(ticket: EventTicket, texts: Collection[str]) -> tuple[str, ...]:
    """What to accept of the texts in one picture: those with the ticket's id, so that no advertisement is a code."""
    return tuple(text for text in texts if str(ticket.ticket_id) in text.lower()) or tuple(texts)


def _in_one_line(text: str) -> str:
    """The beginning of what a stranger's file says, fit for a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:60]
