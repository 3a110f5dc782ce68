"""Verify published files: fetch them from storage, compare their bytes, and scan their codes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import ticketkit
from apps.events.codes import code_of, is_valid_code
from apps.events.models import EventTicket
from apps.storage import gateway


class DeliveryBlocked(gateway.MediaError):
    """The account stores PDF files, but does not deliver them."""

    is_misconfiguration = True
    is_temporary = False
    hint = (
        "This Cloudinary account does not deliver PDF files yet. Sign in at console.cloudinary.com, open Settings > "
        "Security, turn on “Allow delivery of PDF and ZIP files”, and save. Nothing has to be uploaded again."
    )


def verify_upload(ticket: EventTicket, kind: gateway.FileKind, content: bytes, stored: gateway.StoredFile) -> None:
    """Fetch a file that was just uploaded. Raises MediaError unless it carries the ticket's code.

    The delivered bytes may differ from the uploaded ones, because a service may re-encode files, but they must scan.
    """
    etag = md5(content)
    if stored.etag and stored.etag != etag:
        raise _mismatch(kind, stored.public_id, "storage received other bytes than were sent; is a proxy in between?")
    _verify(kind, stored.public_id, stored.version, etag, lambda text: text == code_of(ticket))


def verify_published(ticket: EventTicket) -> dict[str, bytes]:
    """Fetch both published files of the ticket. Return their bytes by the kind of file.

    Raises MediaError unless they carry a valid code of the ticket: the signed one, or an accepted code in files from
    before signing. Prefetch `codes` if this runs in a thread that must not use the database.
    """
    contents = {}
    for kind in gateway.KINDS:
        public_id = getattr(ticket, f"{kind.name}_cloudinary_id")
        version, etag = getattr(ticket, f"{kind.name}_version"), getattr(ticket, f"{kind.name}_etag")
        contents[kind.name] = _verify(kind, public_id, version, etag, partial(is_valid_code, ticket))
    return contents


def fetch(kind: gateway.FileKind, public_id: str, version: int | None) -> bytes:
    """Return the bytes of a file. Raises MediaError, or DeliveryBlocked if the account does not deliver PDF files."""
    try:
        return gateway.fetch(kind, public_id, version)
    except gateway.MediaError as error:
        if kind is gateway.PDF_TICKET and error.status in (401, 403):
            raise DeliveryBlocked(error.operation, public_id, error.status, error.reason) from error
        raise


def md5(content: bytes) -> str:
    """Return the hexadecimal MD5 digest, which storage uses as etag."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _verify(
    kind: gateway.FileKind, public_id: str, version: int | None, etag: str, is_valid: Callable[[str], bool]
) -> bytes:
    content = fetch(kind, public_id, version)
    if kind is gateway.PDF_TICKET and md5(content) == etag:
        return content  # identical to the renderer's output; scanning a PDF page takes ten times as long as a picture
    try:
        codes = ticketkit.read_codes(content)
    except ticketkit.RenderingError as error:
        raise _mismatch(kind, public_id, f"the delivered file can't be scanned: {error}") from error
    if not any(map(is_valid, codes)):
        raise _mismatch(kind, public_id, "the delivered file doesn't carry the ticket's code")
    return content


def _mismatch(kind: gateway.FileKind, public_id: str, reason: str) -> gateway.MediaError:
    return gateway.MediaError(f"verifying {kind.label} on Cloudinary", public_id, 200, reason)
