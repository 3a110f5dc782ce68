"""Test that workers of the previous version can run beside new ones, during a rolling upgrade.

The previous version has no `lease_until` and no `revision`: it uses `lease` and `next_attempt_at`.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from apps.core.jobs.kinds import Failure, Result, Success
from apps.core.jobs.models import JobQuerySet
from apps.events.models import EventTicket
from apps.webhooks import maintenance
from apps.webhooks.jobs import WEBHOOKS
from apps.webhooks.models import EventType, WebhookEndpoint, WebhookMessage, WebhookMessageQuerySet

from .helpers import end_all_waits, enqueue, issue_tickets

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.usefixtures("no_broker"),
    pytest.mark.integration,
]

COPY_SQL_OF_PREVIOUS_VERSION = """
INSERT INTO webhooks_webhookmessage (message_id, endpoint_id, event_type, ticket_id, data, created_at, state, attempts,
    next_attempt_at, give_up_at, reason)
SELECT 'msg_previous', endpoint_id, event_type, ticket_id, data, created_at, state, attempts,
    next_attempt_at, give_up_at, reason FROM webhooks_webhookmessage
"""


def claim_by_previous_version() -> WebhookMessage:
    """Claim the first message that is due, as the previous version does."""
    now = timezone.now()
    message = WebhookMessage.objects.filter(state="pending", next_attempt_at__lte=now).order_by("pk")[0]
    WebhookMessage.objects.filter(pk=message.pk).update(
        lease=uuid.uuid4(), next_attempt_at=now + timedelta(minutes=3), attempts=F("attempts") + 1, last_attempt_at=now
    )
    message.refresh_from_db()
    return message


def count_claimable_by_previous_version() -> int:
    """Count the messages that the previous version would claim, hasten, give up or resend."""
    now, pending = timezone.now(), WebhookMessage.objects.filter(state="pending")
    due, waiting = Q(next_attempt_at__lte=now), Q(lease=None)
    return pending.filter(due | waiting).count()


def count_in_flight_for_previous_version() -> int:
    leased = WebhookMessage.objects.filter(state="pending", lease__isnull=False)
    return leased.filter(next_attempt_at__gt=timezone.now()).count()


def try_to_claim(endpoint: WebhookEndpoint) -> list[WebhookMessage]:
    maintenance.reset_failures(endpoint)
    maintenance.resend(WebhookMessage.objects.filter(state="pending"))
    WebhookMessage.objects.update(give_up_at=timezone.now())
    maintenance.sweep()
    return WEBHOOKS.claim(10)


def test_message_claimed_by_previous_version_is_left_alone_until_its_lease_ends(
    endpoint: WebhookEndpoint, ticket: EventTicket
) -> None:
    enqueue(EventType.READY, ticket)
    claimed = claim_by_previous_version()
    assert claimed.lease_until is None
    assert try_to_claim(endpoint) == []
    message = WebhookMessage.objects.get()
    assert (message.lease, message.next_attempt_at) == (claimed.lease, claimed.next_attempt_at)

    end_all_waits()
    assert WEBHOOKS.claim(10) == [claimed]


def test_message_claimed_by_previous_version_is_taken_without_the_override(
    endpoint: WebhookEndpoint, ticket: EventTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(WebhookMessageQuerySet, "unclaimed", JobQuerySet.unclaimed)
    enqueue(EventType.READY, ticket)
    claimed = claim_by_previous_version()
    maintenance.reset_failures(endpoint)
    assert WEBHOOKS.claim(10) == [claimed]


def test_message_claimed_by_previous_version_counts_for_limit_and_order(
    endpoint: WebhookEndpoint, settings: Any
) -> None:
    first, second = issue_tickets(endpoint, 2)
    enqueue(EventType.READY, first)
    claim_by_previous_version()
    enqueue(EventType.REISSUED, first)
    enqueue(EventType.READY, second)
    settings.WEBHOOK_IN_FLIGHT = 1
    assert WEBHOOKS.claim(10) == []
    settings.WEBHOOK_IN_FLIGHT = 8
    assert [message.ticket_id for message in WEBHOOKS.claim(10)] == [second.ticket_id]


def test_message_taken_over_by_previous_version_is_left_alone(endpoint: WebhookEndpoint, ticket: EventTicket) -> None:
    enqueue(EventType.READY, ticket)
    dead = WEBHOOKS.claim(1)
    end_all_waits()
    claimed = claim_by_previous_version()
    assert claimed.lease_until is not None
    assert try_to_claim(endpoint) == []
    assert [each.result for each in WEBHOOKS.settle([(dead[0], Success())])] == [Result.OVERTAKEN]
    assert WebhookMessage.objects.get().lease == claimed.lease


@pytest.mark.parametrize("outcome", [Success(), Failure("Answered 500")])
def test_previous_version_does_not_take_claimed_messages(
    endpoint: WebhookEndpoint, ticket: EventTicket, outcome: Success | Failure
) -> None:
    enqueue(EventType.READY, ticket)
    assert count_claimable_by_previous_version() == 1
    claimed = WEBHOOKS.claim(1)
    assert (count_claimable_by_previous_version(), count_in_flight_for_previous_version()) == (0, 1)

    WEBHOOKS.settle([(claimed[0], outcome)])
    assert count_in_flight_for_previous_version() == 0
    due = WebhookMessage.objects.filter(state="pending", next_attempt_at__lte=timezone.now())
    assert not due.exists(), "the message is due again"


def test_messages_written_by_previous_version_are_claimed(endpoint: WebhookEndpoint, ticket: EventTicket) -> None:
    enqueue(EventType.READY, ticket)
    with connection.cursor() as cursor:
        cursor.execute(COPY_SQL_OF_PREVIOUS_VERSION)
    WebhookMessage.objects.exclude(message_id="msg_previous").delete()
    assert [message.message_id for message in WEBHOOKS.claim(10)] == ["msg_previous"]
