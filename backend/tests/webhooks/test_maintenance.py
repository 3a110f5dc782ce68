"""Test that the outbox is swept, old messages are deleted, and the backlog is measured."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.core.jobs.kinds import Backlog
from apps.events.models import EventTicket
from apps.webhooks import maintenance
from apps.webhooks.jobs import WEBHOOKS
from apps.webhooks.models import TROUBLED_FAILURES, EventType, WebhookEndpoint, WebhookMessage

from .helpers import State, enqueue, issue_tickets
from .receiver import Receiver

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.usefixtures("private", "no_broker"),
]


@pytest.mark.integration
def test_sweep_sends_a_task_only_if_messages_are_due(ticket: EventTicket, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    waiting = 0
    monkeypatch.setattr(dispatch, "send", lambda task, arguments, queue: sent.append(task))
    monkeypatch.setattr(dispatch, "tasks_waiting", lambda queue: waiting)
    maintenance.sweep()
    assert sent == [], "no message is due"
    enqueue(EventType.READY, ticket)
    sent.clear()
    maintenance.sweep()
    assert sent == ["apps.webhooks.tasks.deliver_due"]
    waiting = 50
    maintenance.sweep()
    assert len(sent) == 1, "the queue is long enough"
    waiting = 0
    WEBHOOKS.claim(1)
    maintenance.sweep()
    assert len(sent) == 1, "a worker has leased the message"


@pytest.mark.integration
def test_old_messages_are_deleted_unless_pending(receiver: Receiver, endpoint: WebhookEndpoint, settings: Any) -> None:
    settings.WEBHOOK_KEEP_DAYS = 30
    enqueue(EventType.READY, *issue_tickets(endpoint, 4))
    old, young = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=29)
    pks = list(WebhookMessage.objects.order_by("pk").values_list("pk", flat=True))
    for pk, state, moment in zip(
        pks, (State.DELIVERED, State.FAILED, State.PENDING, State.DELIVERED), (old, old, old, young), strict=True
    ):
        WebhookMessage.objects.filter(pk=pk).update(state=state, created_at=moment)
    assert maintenance.delete_old() == 2
    assert list(WebhookMessage.objects.order_by("pk").values_list("pk", flat=True)) == pks[2:]


@pytest.mark.integration
def test_backlog_ignores_messages_of_troubled_endpoints(endpoint: WebhookEndpoint) -> None:
    assert WEBHOOKS.backlog() == Backlog(waiting=0, retrying=0, given_up=0, leased=0, overdue=0.0, oldest=0.0)
    late, lost = issue_tickets(endpoint, 2)
    enqueue(EventType.READY, late, lost)
    WebhookMessage.objects.filter(ticket_id=lost.ticket_id).update(state=State.FAILED)
    in_a_while = timezone.now() + timedelta(minutes=30)
    found = WEBHOOKS.backlog(in_a_while)
    assert (found.waiting, found.given_up) == (1, 1)
    assert 1790 < found.overdue < 1801

    WebhookEndpoint.objects.update(failures=TROUBLED_FAILURES)
    found = WEBHOOKS.backlog(in_a_while)
    assert (found.waiting, found.overdue, found.oldest) == (1, 0.0, 0.0)
