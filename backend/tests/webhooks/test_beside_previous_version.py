"""Workers of the previous version run beside new ones during an upgrade: neither takes what the other one sends.

The previous version knows no `lease_until` and no `revision`: it looks at `lease` and `next_attempt_at`.
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
from apps.webhooks import upkeep
from apps.webhooks.jobs import WEBHOOKS
from apps.webhooks.models import EventType, WebhookEndpoint, WebhookMessage, WebhookMessageQuerySet

from .telling import crowd, let_time_pass, tell

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases, pytest.mark.usefixtures("no_broker")]

COPY_AS_BEFORE = """
INSERT INTO webhooks_webhookmessage (message_id, endpoint_id, event_type, ticket_id, data, created_at, state, attempts,
    next_attempt_at, give_up_at, reason)
SELECT 'msg_previous', endpoint_id, event_type, ticket_id, data, created_at, state, attempts,
    next_attempt_at, give_up_at, reason FROM webhooks_webhookmessage
"""


def claim_as_before() -> WebhookMessage:
    """Claim the first message that is due, with the statements of the previous version."""
    now = timezone.now()
    message = WebhookMessage.objects.filter(state="pending", next_attempt_at__lte=now).order_by("pk")[0]
    WebhookMessage.objects.filter(pk=message.pk).update(
        lease=uuid.uuid4(), next_attempt_at=now + timedelta(minutes=3), attempts=F("attempts") + 1, last_attempt_at=now
    )
    message.refresh_from_db()
    return message


def taken_as_before() -> int:
    """Count the messages that the previous version would claim, wake up, give up or send again."""
    now, pending = timezone.now(), WebhookMessage.objects.filter(state="pending")
    due, waiting = Q(next_attempt_at__lte=now), Q(lease=None)
    return pending.filter(due | waiting).count()


def under_way_as_before() -> int:
    leased = WebhookMessage.objects.filter(state="pending", lease__isnull=False)
    return leased.filter(next_attempt_at__gt=timezone.now()).count()


def take_by_every_way(endpoint: WebhookEndpoint) -> list[WebhookMessage]:
    upkeep.forgive(endpoint)
    upkeep.send_again(WebhookMessage.objects.filter(state="pending"))
    WebhookMessage.objects.update(give_up_at=timezone.now())
    upkeep.sweep()
    return WEBHOOKS.claim(10)


def test_what_a_worker_of_the_previous_version_sends_is_left_alone_until_its_time_is_over(
    endpoint: WebhookEndpoint, ticket: EventTicket
) -> None:
    tell(EventType.READY, ticket)
    claimed = claim_as_before()
    assert claimed.lease_until is None
    assert take_by_every_way(endpoint) == []
    message = WebhookMessage.objects.get()
    assert (message.lease, message.next_attempt_at) == (claimed.lease, claimed.next_attempt_at)

    let_time_pass()
    assert WEBHOOKS.claim(10) == [claimed]


def test_judged_by_the_end_of_its_lease_alone_it_would_be_taken(
    endpoint: WebhookEndpoint, ticket: EventTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(WebhookMessageQuerySet, "unclaimed", JobQuerySet.unclaimed)
    tell(EventType.READY, ticket)
    claimed = claim_as_before()
    upkeep.forgive(endpoint)
    assert WEBHOOKS.claim(10) == [claimed]


def test_it_counts_in_its_endpoints_share_and_keeps_its_tickets_order(endpoint: WebhookEndpoint, settings: Any) -> None:
    first, second = crowd(endpoint, 2)
    tell(EventType.READY, first)
    claim_as_before()
    tell(EventType.REISSUED, first)
    tell(EventType.READY, second)
    settings.WEBHOOK_IN_FLIGHT = 1
    assert WEBHOOKS.claim(10) == []
    settings.WEBHOOK_IN_FLIGHT = 8
    assert [message.ticket_id for message in WEBHOOKS.claim(10)] == [second.ticket_id]


def test_what_it_took_over_from_a_dead_worker_is_left_alone(endpoint: WebhookEndpoint, ticket: EventTicket) -> None:
    tell(EventType.READY, ticket)
    dead = WEBHOOKS.claim(1)
    let_time_pass()
    claimed = claim_as_before()
    assert claimed.lease_until is not None
    assert take_by_every_way(endpoint) == []
    assert [each.result for each in WEBHOOKS.settle([(dead[0], Success())])] == [Result.OVERTAKEN]
    assert WebhookMessage.objects.get().lease == claimed.lease


@pytest.mark.parametrize("outcome", [Success(), Failure("Answered 500")])
def test_a_worker_of_the_previous_version_takes_nothing_from_a_new_one(
    endpoint: WebhookEndpoint, ticket: EventTicket, outcome: Success | Failure
) -> None:
    tell(EventType.READY, ticket)
    assert taken_as_before() == 1
    claimed = WEBHOOKS.claim(1)
    assert (taken_as_before(), under_way_as_before()) == (0, 1)

    WEBHOOKS.settle([(claimed[0], outcome)])
    assert under_way_as_before() == 0
    due = WebhookMessage.objects.filter(state="pending", next_attempt_at__lte=timezone.now())
    assert not due.exists(), "it is delivered, or waits for its next attempt"


def test_a_process_of_the_previous_version_writes_messages(endpoint: WebhookEndpoint, ticket: EventTicket) -> None:
    tell(EventType.READY, ticket)
    with connection.cursor() as cursor:
        cursor.execute(COPY_AS_BEFORE)
    WebhookMessage.objects.exclude(message_id="msg_previous").delete()
    assert [message.message_id for message in WEBHOOKS.claim(10)] == ["msg_previous"]
