"""What a message says. docs/reference/webhooks.md shows an example of each, which a test compares with this.

Ids and states only: no holder's name or address, no signed code, no URL that opens by itself. Whoever logs a message
has nothing that tells who comes, or gets anybody in, but for tickets from before codes were signed: their id is their
code until they are re-issued.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings

from apps.events.models import EventTicket

from .models import TEST, EventType, WebhookMessage

State = EventTicket.State
STATES = {EventType.READY: State.READY, EventType.FAILED: State.FAILED, EventType.REISSUED: State.PENDING}


def data_of(event_type: EventType, ticket: EventTicket, reason: str = "") -> dict[str, Any]:
    """The part of a message that is about the ticket, as it is at the moment that the message tells of."""
    data: dict[str, Any] = {
        "ticket_id": str(ticket.ticket_id),
        "event_id": ticket.event_id,
        "order_reference": ticket.order_reference,
        "generation": ticket.code_generation,
    }
    if event_type in STATES:
        data |= {
            "state": STATES[event_type].value,
            "ticket_url": f"{settings.PUBLIC_URL.rstrip('/')}/api/events/ticket/{ticket.ticket_id}/",
        }
    return data | ({"reason": reason} if event_type == EventType.FAILED else {})


def test_data() -> dict[str, Any]:
    return {"message": "This endpoint hears of tickets."}


def body_of(message: WebhookMessage) -> bytes:
    """The JSON to send: the same bytes for every attempt and every repetition, on every database."""
    data = message.data if message.event_type == TEST else {**message.data, "sequence": message.pk}
    timestamp = message.created_at.isoformat().replace("+00:00", "Z")
    content = {"type": message.event_type, "timestamp": timestamp, "data": dict(sorted(data.items()))}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
