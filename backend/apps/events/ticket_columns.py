"""The only writers of a ticket's columns that people do not edit, except those of its job (see `core/jobs`).

`save()` does not write these columns, so a stale object cannot overwrite them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import F
from django.utils import timezone

from apps.storage import fields, gateway

from .models import EventTicket

# The columns of a ticket without published files.
NOTHING_PUBLISHED: Final[Mapping[str, Any]] = {
    "qr_code_cloudinary_id": "",
    "qr_code_version": None,
    "qr_code_etag": "",
    "pdf_ticket_cloudinary_id": "",
    "pdf_ticket_version": None,
    "pdf_ticket_etag": "",
}


def mark_used(ticket: EventTicket, now: datetime) -> bool:
    """Mark the ticket as used. Return False if it was used or re-issued since it was read.

    A single conditional UPDATE decides, so only one of several concurrent callers gets True.
    """
    row = EventTicket.objects.filter(pk=ticket.pk, used_at=None, code_generation=ticket.code_generation)
    if is_first := bool(row.update(used_at=now)):
        ticket.used_at = now
    return is_first


def raise_generation(pks: Collection[int]) -> None:
    """Invalidate the tickets' signed codes, in the transaction of a re-issue. The caller has locked the rows."""
    EventTicket.objects.filter(pk__in=pks).update(code_generation=F("code_generation") + 1)


def assign_new_public_ids(tickets: Sequence[EventTicket]) -> None:
    """Give each ticket new public ids, which no existing link contains. The caller has locked the rows."""
    moved = [EventTicket(pk=ticket.pk, public_id_suffix=gateway.new_suffix()) for ticket in tickets]
    EventTicket.objects.bulk_update(moved, ["public_id_suffix"])


def clear_published_names(tickets: Sequence[EventTicket]) -> None:
    """Clear the file fields, except names of local files. The caller has locked the rows."""
    cleared = [
        EventTicket(pk=ticket.pk, qr_code=_local_name(ticket.qr_code), pdf_ticket=_local_name(ticket.pdf_ticket))
        for ticket in tickets
    ]
    EventTicket.objects.bulk_update(cleared, ["qr_code", "pdf_ticket"])


def _local_name(file: Any) -> str:
    name: str = file.name or ""
    return "" if fields.as_published(name) else name


def published(
    ticket: EventTicket, qr_code: gateway.StoredFile, pdf_ticket: gateway.StoredFile, fingerprint: str
) -> dict[str, Any]:
    """Return the columns of a ticket after both files were uploaded."""
    local = ticket.local_files
    return {
        "qr_code": f"{qr_code.public_id}.{gateway.QR_CODE.extension}",
        "qr_code_cloudinary_id": qr_code.public_id,
        "qr_code_version": qr_code.version,
        "qr_code_etag": qr_code.etag,
        "qr_code_local": local.get(gateway.QR_CODE.name, ticket.qr_code_local),
        "pdf_ticket": f"{pdf_ticket.public_id}.{gateway.PDF_TICKET.extension}",
        "pdf_ticket_cloudinary_id": pdf_ticket.public_id,
        "pdf_ticket_version": pdf_ticket.version,
        "pdf_ticket_etag": pdf_ticket.etag,
        "pdf_ticket_local": local.get(gateway.PDF_TICKET.name, ticket.pdf_ticket_local),
        "published_at": timezone.now(),
        "published_generation": ticket.code_generation,
        "published_fingerprint": fingerprint,
        "published_suffix": ticket.public_id_suffix,
    }


def stored_locally(names: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of a ticket whose files are in local storage under these names, by the kind of file."""
    return {
        **names,
        **{f"{kind}_local": "" for kind in names},
        "published_generation": None,
        "published_at": None,
    }


def forget_local_file(ticket: EventTicket, kind: str, name: str) -> None:
    """Clear the name of a deleted local file, unless the row has another name by now."""
    EventTicket.objects.filter(pk=ticket.pk, **{f"{kind}_local": name}).update(**{f"{kind}_local": ""})
