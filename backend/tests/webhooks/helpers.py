"""Helpers for tests of webhooks."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from apps.events import issuing
from apps.events.models import EventTicket
from apps.webhooks import outbox
from apps.webhooks.models import EventType, WebhookEndpoint, WebhookMessage
from tests.factories import make_event

State = WebhookMessage.State


def enqueue(event_type: EventType, *tickets: EventTicket) -> None:
    with transaction.atomic():
        outbox.enqueue(event_type, tickets)


def issue_tickets(endpoint: WebhookEndpoint, number: int) -> list[EventTicket]:
    event = make_event(organiser=endpoint.organiser)
    return issuing.issue_many(event, [issuing.Holder(name=f"Guest {n}") for n in range(number)])


def end_all_waits() -> None:
    """End the waits of retries and leases, and the holds of endpoints, as if time had passed."""
    now = timezone.now()
    WebhookMessage.objects.update(next_attempt_at=now, lease_until=now)
    WebhookEndpoint.objects.update(held_until=None)


def states() -> list[str]:
    return list(WebhookMessage.objects.order_by("pk").values_list("state", flat=True))
