"""The outbox is swept, is kept small, and says how it goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.core.jobs.kinds import Backlog
from apps.events.models import EventTicket
from apps.webhooks import upkeep
from apps.webhooks.jobs import WEBHOOKS
from apps.webhooks.models import TROUBLED, EventType, WebhookEndpoint, WebhookMessage

from .receiver import Receiver
from .telling import State, crowd, tell

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.usefixtures("private", "no_broker"),
]


def test_the_sweep_sends_for_what_is_due_and_no_more(ticket: EventTicket, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    waiting = 0
    monkeypatch.setattr(dispatch, "send", lambda task, arguments, queue: sent.append(task))
    monkeypatch.setattr(dispatch, "tasks_waiting", lambda queue: waiting)
    upkeep.sweep()
    assert sent == [], "nothing is owed"
    tell(EventType.READY, ticket)
    sent.clear()
    upkeep.sweep()
    assert sent == ["apps.webhooks.tasks.deliver_due"]
    waiting = 50
    upkeep.sweep()
    assert len(sent) == 1, "the queue is long enough"
    waiting = 0
    WEBHOOKS.claim(1)
    upkeep.sweep()
    assert len(sent) == 1, "somebody is at it"


def test_old_messages_are_forgotten_but_never_what_is_owed(
    receiver: Receiver, endpoint: WebhookEndpoint, settings: Any
) -> None:
    settings.WEBHOOK_KEEP_DAYS = 30
    tell(EventType.READY, *crowd(endpoint, 4))
    old, young = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=29)
    pks = list(WebhookMessage.objects.order_by("pk").values_list("pk", flat=True))
    for pk, state, moment in zip(
        pks, (State.DELIVERED, State.FAILED, State.PENDING, State.DELIVERED), (old, old, old, young), strict=True
    ):
        WebhookMessage.objects.filter(pk=pk).update(state=state, created_at=moment)
    assert upkeep.forget_old() == 2
    assert list(WebhookMessage.objects.order_by("pk").values_list("pk", flat=True)) == pks[2:]


def test_the_backlog_tells_our_own_delay_from_an_endpoints(endpoint: WebhookEndpoint) -> None:
    assert WEBHOOKS.backlog() == Backlog(waiting=0, retrying=0, given_up=0, leased=0, overdue=0.0, oldest=0.0)
    late, lost = crowd(endpoint, 2)
    tell(EventType.READY, late, lost)
    WebhookMessage.objects.filter(ticket_id=lost.ticket_id).update(state=State.FAILED)
    in_a_while = timezone.now() + timedelta(minutes=30)
    found = WEBHOOKS.backlog(in_a_while)
    assert (found.waiting, found.given_up) == (1, 1)
    assert 1790 < found.overdue < 1801

    WebhookEndpoint.objects.update(failures=TROUBLED)
    found = WEBHOOKS.backlog(in_a_while)
    assert (found.waiting, found.overdue, found.oldest) == (1, 0.0, 0.0)
