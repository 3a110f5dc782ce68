"""Build the content of messages. docs/reference/webhooks.md has an example of each, which a test compares.

Messages contain ids and states only, so that a receiver may log them: no holder's name or address, no signed code, no
signed URL. There is one exception: the id of a ticket from before codes were signed is its code until it is re-issued.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings

from apps.events.models import EventTicket

from .models import TEST_EVENT_TYPE, EventType, WebhookMessage

State = EventTicket.State
STATES = {EventType.READY: State.READY, EventType.FAILED: State.FAILED, EventType.REISSUED: State.PENDING}


def data_of(event_type: EventType, ticket: EventTicket, reason: str = "") -> dict[str, Any]:
    """Return the `data` of a message about the ticket, as of now. `reason` is for failures only."""
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
    """Return the JSON to send. The bytes are the same for every attempt, with every database."""
    data = message.data if message.event_type == TEST_EVENT_TYPE else {**message.data, "sequence": message.pk}
    timestamp = message.created_at.isoformat().replace("+00:00", "Z")
    content = {"type": message.event_type, "timestamp": timestamp, "data": dict(sorted(data.items()))}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
