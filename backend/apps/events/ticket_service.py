"""The service of the mission document: make a ticket's files and upload them to Cloudinary.

It is for scripts and shells. The application publishes tickets by `apps/publishing/`, which uses the same renderer and
gateway and keeps track of the files in the database. This service reads the database only for the public ids of
re-issued tickets, and does not write to it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

import ticketkit
from apps.storage import gateway

from .models import EventTicket


class TicketService:
    """Makes, uploads and deletes single files, with the method names of the mission document.

    Methods that draw raise RenderingError if that fails; methods that call storage raise MediaError.
    """

    def generate_qr_code(self, ticket_id: UUID | str, event_title: str = "", *, code: str = "") -> io.BytesIO:
        """Return a QR code as a PNG of 300 x 300 pixels, with `code` or else the ticket id as its text.

        `event_title` is ignored; it is accepted because the mission document's examples pass it.
        """
        return io.BytesIO(ticketkit.render_qr_png(code or str(ticket_id)))

    def generate_pdf_ticket(self, ticket_data: Mapping[str, Any]) -> io.BytesIO:
        """Return a ticket as a PDF of one page.

        `ticket_data` needs `ticket_id` and `event_title`. Optional are `event_date` (a string or a datetime),
        `buyer_name`, `quantity`, `code`, `ticket_type`, `price`, `venue`, `address`, `time_zone`, `language`,
        `organiser`, `terms`, `order_reference`, `cover` and `logo` (both bytes), and `layout`, which changes the
        built-in layout (docs/reference/ticket-layout.md). Raises ValueError for missing or unknown keys.
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
        template = ticketkit.EventTemplate(ticketkit.EventDetails(**event), data.get("layout"))
        return io.BytesIO(template.render(ticketkit.TicketDetails(**ticket)).pdf)

    def upload_qr_code_to_cloudinary(
        self, qr_buffer: BinaryIO | bytes, ticket_id: UUID | str, event_id: int | str
    ) -> dict[str, Any]:
        """Upload a QR code to its ticket's public id. Return `url`, `public_id` and `version`.

        The buffer is read from its start and rewound. Raises ValueError if it is empty.
        """
        return self._upload(gateway.QR_CODE, qr_buffer, ticket_id, event_id)

    def upload_pdf_ticket_to_cloudinary(
        self, pdf_buffer: BinaryIO | bytes, ticket_id: UUID | str, event_id: int | str
    ) -> dict[str, Any]:
        """Upload a PDF to its ticket's public id. Return `url`, `public_id` and `version`.

        The buffer is read from its start and rewound. Raises ValueError if it is empty.
        """
        return self._upload(gateway.PDF_TICKET, pdf_buffer, ticket_id, event_id)

    def delete_ticket_from_cloudinary(self, public_id: str) -> bool:
        """Delete one file by its public id. Return whether it existed."""
        return gateway.destroy(gateway.kind_of(public_id), public_id)

    def get_ticket_url(self, public_id: str, transformation: str | None = None) -> str:
        """Return the URL of a file, signed unless files are public.

        `transformation` is a string in Cloudinary's syntax, such as "w_200,h_200,c_fill".
        """
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
    """Return the public id of the ticket's file, with the suffix from the database if the ticket was re-issued.

    The database is not queried for ids that it cannot have: event ids are integers from 1.
    """
    suffix = None
    if gateway.TICKET_FILE.fullmatch(plain := kind.public_id(event_id, ticket_id)) and int(event_id):
        rows = EventTicket.objects.filter(ticket_id=ticket_id, event_id=event_id)
        suffix = rows.values_list("public_id_suffix", flat=True).first()
    return kind.public_id(event_id, ticket_id, suffix) if suffix else plain


def _content(buffer: BinaryIO | bytes) -> bytes:
    """Return all bytes of the buffer, whatever its position, and rewind it."""
    if isinstance(buffer, bytes):
        return buffer
    buffer.seek(0)
    content = buffer.read()
    buffer.seek(0)
    return content


ticket_service = TicketService()
