"""Make legacy tickets: a QR code file in MEDIA_ROOT, and nothing published."""

from __future__ import annotations

import io
import json
import uuid
from pathlib import Path
from typing import Any

import qrcode
from django.conf import settings
from django.utils import timezone

from apps.events.models import EventTicket, TicketCode
from apps.events.ticket_codes import digest_of

from .factories import make_ticket


def old_qr_png(text: str) -> bytes:
    """Draw a QR code as the legacy software did, with the same library."""
    buffer = io.BytesIO()
    qrcode.make(text).save(buffer, "PNG")
    return buffer.getvalue()


def json_code(ticket_id: uuid.UUID) -> str:
    return json.dumps({"ticket_id": str(ticket_id), "event": "Concert Night", "buyer": "John Doe"})


def write_local(name: str, content: bytes) -> Path:
    path = Path(settings.MEDIA_ROOT) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def accept_id(ticket: EventTicket) -> EventTicket:
    """Accept the ticket's id as a code, as the database migration does for tickets from before codes were signed."""
    row = {"ticket": ticket, "digest": digest_of(str(ticket.ticket_id)), "source": TicketCode.Source.TICKET_ID}
    TicketCode.objects.create(**row, dead_at=timezone.now() if ticket.code_generation else None)
    return ticket


def make_local_ticket(content: bytes | None = None, *, text: str = "", **overrides: Any) -> EventTicket:
    """Make a legacy ticket whose file is `content`, or a code with `text` (`{}` for its id), by default its bare id."""
    ticket_id = uuid.uuid4()
    name = f"qr_codes/ticket_{ticket_id}.png"
    write_local(name, old_qr_png((text or "{}").replace("{}", str(ticket_id))) if content is None else content)
    values: dict[str, Any] = {"ticket_id": ticket_id, "qr_code": name}
    return accept_id(make_ticket(**values | {"next_attempt_at": None} | overrides))


def local_path(ticket: EventTicket) -> Path:
    return Path(settings.MEDIA_ROOT) / (ticket.qr_code_local or ticket.qr_code.name or "")
