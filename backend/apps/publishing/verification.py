"""Proves that what storage delivers for a ticket is what was made for it: fetched back, compared, and scanned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

from apps.events.codes import code_of, is_valid_code
from apps.events.models import EventTicket
from apps.storage import gateway
from ticketkit import RenderingError, read_codes


class DeliveryBlocked(gateway.MediaError):
    """The account takes PDF files, but doesn't hand them out."""

    is_misconfiguration = True
    is_temporary = False
    hint = (
        "This Cloudinary account does not deliver PDF files yet. Sign in at console.cloudinary.com, open Settings > "
        "Security, turn on “Allow delivery of PDF and ZIP files”, and save. Nothing has to be uploaded again."
    )


def verify_upload(ticket: EventTicket, kind: gateway.FileKind, content: bytes, stored: gateway.StoredFile) -> None:
    """Fetch a file that has just been uploaded. Raises MediaError unless it carries the ticket's code.

    Bytes that differ from what was uploaded pass only if the code scans from them: a service may re-encode a file.
    """
    etag = md5(content)
    if stored.etag and stored.etag != etag:
        raise _mismatch(kind, stored.public_id, "storage took other bytes than were sent; is a proxy in between?")
    _verify(kind, stored.public_id, stored.version, etag, lambda text: text == code_of(ticket))


def verify_published(ticket: EventTicket) -> dict[str, bytes]:
    """Fetch both files that the row says are published; answers their bytes by the kind of file.

    Raises MediaError unless they carry a code that lets the ticket's holder in today: the signed one, or in files from
    before all were signed, what was printed. Prefetch `codes` for a thread that has no database.
    """
    contents = {}
    for kind in gateway.KINDS:
        public_id = getattr(ticket, f"{kind.name}_cloudinary_id")
        version, etag = getattr(ticket, f"{kind.name}_version"), getattr(ticket, f"{kind.name}_etag")
        contents[kind.name] = _verify(kind, public_id, version, etag, partial(is_valid_code, ticket))
    return contents


def fetch(kind: gateway.FileKind, public_id: str, version: int | None) -> bytes:
    """The bytes of a file. Raises MediaError, and that as DeliveryBlocked for a PDF that the account keeps back."""
    try:
        return gateway.fetch(kind, public_id, version)
    except gateway.MediaError as error:
        if kind is gateway.PDF_TICKET and error.status in (401, 403):
            raise DeliveryBlocked(error.operation, public_id, error.status, error.reason) from error
        raise


def md5(content: bytes) -> str:
    """What storage calls the etag of the bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _verify(
    kind: gateway.FileKind, public_id: str, version: int | None, etag: str, is_valid: Callable[[str], bool]
) -> bytes:
    content = fetch(kind, public_id, version)
    if kind is gateway.PDF_TICKET and md5(content) == etag:
        return content  # drawing a page costs ten times a picture, and these are the very bytes that the renderer made
    try:
        codes = read_codes(content)
    except RenderingError as error:
        raise _mismatch(kind, public_id, f"what is delivered can't be scanned: {error}") from error
    if not any(map(is_valid, codes)):
        raise _mismatch(kind, public_id, "what is delivered doesn't carry the ticket's code")
    return content


def _mismatch(kind: gateway.FileKind, public_id: str, reason: str) -> gateway.MediaError:
    return gateway.MediaError(f"verifying {kind.label} on Cloudinary", public_id, 200, reason)
