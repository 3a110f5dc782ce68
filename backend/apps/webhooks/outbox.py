"""Write messages to the outbox, in the transaction of the change that they report. Never uses the network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.events.models import EventTicket

from . import payloads
from .jobs import WEBHOOKS
from .models import TEST_EVENT_TYPE, EventType, WebhookEndpoint, WebhookMessage, new_message_id

BATCH_SIZE = 500


def enqueue(event_type: EventType, tickets: Sequence[EventTicket], reason: str = "", **_: Any) -> int:
    """Enqueue a message about each ticket for each endpoint that subscribes to the event type. Return their number.

    Call it in the transaction that changes the tickets, after their rows are locked: that keeps the messages in order.
    It takes one query without subscribers, else two, for any number of tickets.
    """
    subscribers = _subscribers(event_type, {ticket.event_id for ticket in tickets})
    if not subscribers:
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
            for endpoint in subscribers[ticket.event_id]
        ]
    WebhookMessage.objects.bulk_create(messages, batch_size=BATCH_SIZE)
    if messages:
        WEBHOOKS.send()
    return len(messages)


def enqueue_test(endpoint: WebhookEndpoint) -> WebhookMessage:
    """Enqueue a test message for the endpoint, whatever it subscribes to."""
    message = WebhookMessage.objects.create(endpoint=endpoint, event_type=TEST_EVENT_TYPE, data=payloads.test_data())
    WEBHOOKS.send()
    return message


def _subscribers(event_type: EventType, event_ids: set[int]) -> dict[int, list[int]]:
    """Return the keys of the enabled endpoints that subscribe to the type, by the ids of the events."""
    enabled = WebhookEndpoint.objects.filter(enabled=True, organiser__events__in=event_ids)
    found: dict[int, list[int]] = defaultdict(list)
    for pk, event_id, event_types in enabled.values_list("pk", "organiser__events", "event_types"):
        if event_type in event_types:
            found[event_id].append(pk)
    return found
