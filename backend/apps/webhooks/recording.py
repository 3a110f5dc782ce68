"""From what happened to rows of the outbox, in the transaction in which it happens. Never touches the network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.events.models import EventTicket

from . import payloads
from .jobs import WEBHOOKS
from .models import TEST, EventType, WebhookEndpoint, WebhookMessage, new_message_id

BATCH = 500


def record(event_type: EventType, tickets: Sequence[EventTicket], reason: str = "", **_: Any) -> int:
    """Owe a message about each of the tickets to each endpoint that listens. Answers how many.

    One query where nobody listens; two, for any number of tickets, where somebody does. Must be called inside the
    transaction that changes the tickets, once their rows are locked: that is what keeps the messages in order.
    """
    listening = _listening(event_type, {ticket.event_id for ticket in tickets})
    if not listening:
        return 0
    now = timezone.now()
    messages = []
    for ticket in tickets:
        message_id, data = new_message_id(), payloads.data_of(event_type, ticket, reason)
        messages += [
            WebhookMessage(
                message_id=message_id,
                endpoint_id=endpoint,
                event_type=event_type,
                ticket_id=ticket.ticket_id,
                data=data,
                created_at=now,
                next_attempt_at=now,
            )
            for endpoint in listening[ticket.event_id]
        ]
    WebhookMessage.objects.bulk_create(messages, batch_size=BATCH)
    if messages:
        WEBHOOKS.send()
    return len(messages)


def record_test(endpoint: WebhookEndpoint) -> WebhookMessage:
    """Owe the endpoint a message that means nothing, whatever it listens to."""
    message = WebhookMessage.objects.create(endpoint=endpoint, event_type=TEST, data=payloads.test_data())
    WEBHOOKS.send()
    return message


def _listening(event_type: EventType, event_ids: set[int]) -> dict[int, list[int]]:
    """Endpoints that want to hear of this type, by the ids of the events that they hear of."""
    enabled = WebhookEndpoint.objects.filter(enabled=True, organiser__events__in=event_ids)
    found: dict[int, list[int]] = defaultdict(list)
    for pk, event_id, wanted in enabled.values_list("pk", "organiser__events", "event_types"):
        if event_type in wanted:
            found[event_id].append(pk)
    return found
