"""The mission's service: makes a ticket's files, and puts them on Cloudinary.

Tickets of the database go through `apps/publishing/`, which uses the same renderer and the same storage calls and keeps
the rows' state. This is for scripts and shells, for a file made by hand. It asks the database for one thing only: where
the files of a ticket belong that was re-issued.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

from apps.storage import gateway
from ticketkit import EventDetails, EventTemplate, TicketDetails, render_qr_png

from .models import EventTicket


class TicketService:
    """Methods named as the mission document names them. Errors are raised: RenderingError, MediaError."""

    def generate_qr_code(self, ticket_id: UUID | str, event_title: str = "", *, code: str = "") -> io.BytesIO:
        """A QR code as a PNG of 300 x 300 pixels.

        It carries `code`, or the ticket id itself when none is given. `event_title` is accepted for the callers that
        the document shows; a code carries no title, because nothing at the door may depend on a text.
        """
        return io.BytesIO(render_qr_png(code or str(ticket_id)))

    def generate_pdf_ticket(self, ticket_data: Mapping[str, Any]) -> io.BytesIO:
        """A ticket as a PDF of one page.

        `ticket_data` needs `ticket_id` and `event_title`; `event_date` (a text or a datetime), `buyer_name` and
        `quantity` are printed when given, as are `code`, `ticket_type`, `price`, `venue`, `address`, `time_zone`,
        `language`, `organiser`, `terms`, `order_reference`, `cover` and `logo` (both bytes). `layout` changes
        where things stand (docs/reference/ticket-layout.md). Raises ValueError for missing or unknown keys.
        """
        data = {key: value for key, value in ticket_data.items() if value not in (None, "")}
        if missing := {"ticket_id", "event_title"} - data.keys():
            raise ValueError(f"ticket_data lacks {', '.join(sorted(missing))}.")
        if unknown := data.keys() - _TICKET_KEYS.keys() - _EVENT_KEYS.keys() - {"event_date", "layout"}:
            raise ValueError(f"ticket_data has unknown keys: {', '.join(sorted(unknown))}.")
        event: dict[str, Any] = {"starts_at": None}
        event |= {_EVENT_KEYS[key]: value for key, value in data.items() if key in _EVENT_KEYS}
        ticket = {_TICKET_KEYS[key]: value for key, value in data.items() if key in _TICKET_KEYS}
        ticket["ticket_id"] = str(ticket["ticket_id"])
        ticket.setdefault("code", ticket["ticket_id"])
        date = data.get("event_date", "")
        if isinstance(date, datetime):
            event["starts_at"] = date if date.tzinfo else date.replace(tzinfo=UTC)
        else:
            ticket["event_date"] = str(date)
        template = EventTemplate(EventDetails(**event), data.get("layout"))
        return io.BytesIO(template.render(TicketDetails(**ticket)).pdf)

    def upload_qr_code_to_cloudinary(
        self, qr_buffer: BinaryIO | bytes, ticket_id: UUID | str, event_id: int | str
    ) -> dict[str, Any]:
        """Put a QR code at its ticket's place. Answers `url`, `public_id`, `version`. The buffer can be read again."""
        return self._upload(gateway.QR_CODE, qr_buffer, ticket_id, event_id)

    def upload_pdf_ticket_to_cloudinary(
        self, pdf_buffer: BinaryIO | bytes, ticket_id: UUID | str, event_id: int | str
    ) -> dict[str, Any]:
        """Put a PDF at its ticket's place. Answers `url`, `public_id`, `version`. The buffer can be read again."""
        return self._upload(gateway.PDF_TICKET, pdf_buffer, ticket_id, event_id)

    def delete_ticket_from_cloudinary(self, public_id: str) -> bool:
        """Remove one file by its public id. True if it was there, False if it was gone before."""
        return gateway.destroy(gateway.kind_of(public_id), public_id)

    def get_ticket_url(self, public_id: str, transformation: str | None = None) -> str:
        """The URL of a file, signed where delivery is; `transformation` is, for example, "w_200,h_200,c_fill"."""
        return gateway.delivery_url(gateway.kind_of(public_id), public_id, transformation=transformation)

    def _upload(
        self, kind: gateway.FileKind, buffer: BinaryIO | bytes, ticket_id: UUID | str, event_id: int | str
    ) -> dict[str, Any]:
        content = _content(buffer)
        if not content:
            raise ValueError(f"The {kind.label} is empty; nothing was uploaded.")
        stored = gateway.upload(kind, _public_id(kind, event_id, ticket_id), content)
        url = gateway.delivery_url(kind, stored.public_id, stored.version)
        return {"url": url, "public_id": stored.public_id, "version": stored.version}


_EVENT_KEYS = {
    "event_title": "title",
    "cover": "cover",
    "logo": "logo",
} | {key: key for key in ("venue", "address", "time_zone", "language", "organiser", "terms")}
_TICKET_KEYS = {"buyer_name": "holder"} | {
    key: key for key in ("ticket_id", "code", "ticket_type", "price", "quantity", "order_reference")
}


def _public_id(kind: gateway.FileKind, event_id: int | str, ticket_id: UUID | str) -> str:
    """Where the ticket's file belongs: for a ticket of the database its row says so.

    Links from before a re-issue lead to the place that follows from the ids alone. The database is asked only about ids
    that it may have: events are counted from 1.
    """
    suffix = None
    if gateway.TICKET_FILE.fullmatch(plain := kind.public_id(event_id, ticket_id)) and int(event_id):
        rows = EventTicket.objects.filter(ticket_id=ticket_id, event_id=event_id)
        suffix = rows.values_list("public_id_suffix", flat=True).first()
    return kind.public_id(event_id, ticket_id, suffix) if suffix else plain


def _content(buffer: BinaryIO | bytes) -> bytes:
    """All bytes of a buffer wherever it stands; it is left at its start."""
    if isinstance(buffer, bytes):
        return buffer
    buffer.seek(0)
    content = buffer.read()
    buffer.seek(0)
    return content


ticket_service = TicketService()
