"""What the tests of webhooks do again and again."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from apps.events import issuing
from apps.events.models import EventTicket
from apps.webhooks import recording
from apps.webhooks.models import EventType, WebhookEndpoint, WebhookMessage
from tests.factories import make_event

State = WebhookMessage.State


def tell(event_type: EventType, *about: EventTicket) -> None:
    with transaction.atomic():
        recording.record(event_type, about)


def crowd(endpoint: WebhookEndpoint, number: int) -> list[EventTicket]:
    event = make_event(organiser=endpoint.organiser)
    return issuing.issue_many(event, [issuing.Holder(name=f"Guest {n}") for n in range(number)])


def let_time_pass() -> None:
    """Every wait is over: those of retries, of leases, and of endpoints that are held."""
    now = timezone.now()
    WebhookMessage.objects.update(next_attempt_at=now, lease_until=now)
    WebhookEndpoint.objects.update(held_until=None)


def states() -> list[str]:
    return list(WebhookMessage.objects.order_by("pk").values_list("state", flat=True))
