"""Test that changes of tickets enqueue messages in their own transaction, for the endpoints that subscribe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.events import issuing
from apps.events.models import EventTicket
from apps.publishing import outcomes, requests, sweep, ticket_rendering
from apps.webhooks import outbox
from apps.webhooks.models import EventType, WebhookEndpoint, WebhookMessage
from cloudlet.testing import RunningCloudlet
from tests.factories import make_endpoint, make_event, make_organiser, make_ticket
from tests.workers import publish
from ticketkit import RenderingError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return make_endpoint(make_organiser())


@pytest.fixture
def ticket(endpoint: WebhookEndpoint) -> EventTicket:
    return make_ticket(event=make_event(organiser=endpoint.organiser), order_reference="R-1")


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of tasks that are sent to the broker."""
    calls: list[str] = []
    monkeypatch.setattr(dispatch, "send", lambda task, arguments, queue: calls.append(f"{task} in {queue}"))
    return calls


def enqueued(**filters: Any) -> list[str]:
    return list(WebhookMessage.objects.filter(**filters).order_by("pk").values_list("event_type", flat=True))


def raise_rendering_error(*_: Any, **__: Any) -> Any:
    raise RenderingError("This name can't be printed.")


def test_published_ticket_enqueues_ready(cloudlet: RunningCloudlet, ticket: EventTicket, sent: list[str]) -> None:
    sent.clear()
    publish(ticket.pk)

    message = WebhookMessage.objects.get()
    assert message.event_type == "ticket.ready"
    assert message.ticket_id == ticket.ticket_id
    assert message.data["state"] == "ready"
    assert message.data["generation"] == 0
    assert message.message_id.startswith("msg_")
    assert "." not in message.message_id
    assert sent == ["apps.webhooks.tasks.deliver_due in webhooks"]


def test_batch_takes_two_queries(
    cloudlet: RunningCloudlet, endpoint: WebhookEndpoint, django_assert_num_queries: Any, sent: list[str]
) -> None:
    event = make_event(organiser=endpoint.organiser)
    tickets = [make_ticket(event=event) for _ in range(40)]
    sent.clear()
    with transaction.atomic(), django_assert_num_queries(2):
        assert outbox.enqueue(EventType.READY, tickets) == 40
    assert sent == ["apps.webhooks.tasks.deliver_due in webhooks"]


def test_enqueue_without_endpoints_takes_one_query(django_assert_num_queries: Any, sent: list[str]) -> None:
    event = make_event()
    tickets = [make_ticket(event=event) for _ in range(3)]
    sent.clear()
    with transaction.atomic(), django_assert_num_queries(1):
        assert outbox.enqueue(EventType.READY, tickets) == 0
    assert sent == []


def test_only_the_final_failure_enqueues_failed(
    ticket: EventTicket, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TICKET_MAX_ATTEMPTS = 2
    outcomes.record([(outcomes.TICKETS.claim_these([ticket.pk])[0], ValueError("first"))])
    assert enqueued() == []

    EventTicket.objects.update(next_attempt_at=timezone.now())
    outcomes.record([(outcomes.TICKETS.claim_these([ticket.pk])[0], ValueError("last"))])
    message = WebhookMessage.objects.get()
    assert message.event_type == "ticket.failed"
    assert message.data["reason"] == "ValueError: last"


def test_rendering_error_enqueues_failed(ticket: EventTicket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_rendering, "render", raise_rendering_error)
    publish(ticket.pk)
    assert enqueued() == ["ticket.failed"]


def test_ticket_whose_workers_died_enqueues_failed(ticket: EventTicket, settings: Any) -> None:
    past = timezone.now() - timedelta(minutes=1)
    EventTicket.objects.update(attempts=settings.TICKET_MAX_ATTEMPTS, lease_until=past)
    sweep.requeue_due()
    assert enqueued() == ["ticket.failed"]
    assert "died" in WebhookMessage.objects.get().data["reason"]


def test_failure_of_an_earlier_request_enqueues_nothing(cloudlet: RunningCloudlet, ticket: EventTicket) -> None:
    claimed = outcomes.TICKETS.claim_these([ticket.pk])[0]
    requests.rerender(EventTicket.objects.get(pk=ticket.pk))
    outcomes.record([(claimed, ValueError("of the earlier request"))])
    assert enqueued() == []


def test_reissue_enqueues_reissued_with_the_generation(ticket: EventTicket) -> None:
    issuing.reissue(ticket)
    message = WebhookMessage.objects.get()
    assert (message.event_type, message.data["generation"], message.data["state"]) == ("ticket.reissued", 1, "pending")


DELETIONS: list[Callable[[EventTicket], Any]] = [
    lambda ticket: ticket.delete(),
    lambda ticket: EventTicket.objects.filter(pk=ticket.pk).delete(),
    lambda ticket: ticket.event.delete(),
]


@pytest.mark.parametrize("delete", DELETIONS, ids=["instance", "queryset", "event"])
def test_every_way_of_deleting_a_ticket_enqueues_deleted(ticket: EventTicket, delete: Any) -> None:
    delete(EventTicket.objects.get(pk=ticket.pk))
    message = WebhookMessage.objects.get()
    assert (message.event_type, message.ticket_id) == ("ticket.deleted", ticket.ticket_id)
    assert "state" not in message.data
    assert "ticket_url" not in message.data, "the URL of a deleted ticket is in the message"


@pytest.mark.parametrize("change", [issuing.reissue, EventTicket.delete])
def test_rolled_back_change_enqueues_nothing(ticket: EventTicket, change: Any, sent: list[str]) -> None:
    sent.clear()
    with pytest.raises(RuntimeError), transaction.atomic():
        change(ticket)
        assert len(enqueued()) == 1
        raise RuntimeError
    assert enqueued() == []
    assert sent == []


def test_change_is_rolled_back_if_its_message_cannot_be_written(
    ticket: EventTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change and its message are atomic."""
    monkeypatch.setattr(WebhookMessage.objects, "bulk_create", raise_rendering_error)
    with pytest.raises(RenderingError):
        issuing.reissue(ticket)
    assert EventTicket.objects.get().code_generation == 0


def test_only_enabled_subscribers_of_the_own_team_get_messages(endpoint: WebhookEndpoint) -> None:
    team = endpoint.organiser
    second = make_endpoint(team, "https://second.example.org/", event_types=["ticket.reissued"])
    make_endpoint(team, "https://off.example.org/", enabled=False)
    make_endpoint(team, "https://deletions.example.org/", event_types=["ticket.deleted"])
    make_endpoint(make_organiser("Rivals"))
    issuing.reissue(make_ticket(event=make_event(organiser=team)))

    messages = WebhookMessage.objects.order_by("endpoint")
    assert [message.endpoint_id for message in messages] == [endpoint.pk, second.pk]
    assert len({message.message_id for message in messages}) == 1, "the endpoints got different ids"


def test_concurrent_deletion_of_the_endpoint_does_not_fail_the_change(
    ticket: EventTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribers = outbox._subscribers

    def delete_after(*args: Any) -> Any:
        found = subscribers(*args)
        WebhookEndpoint.objects.all().delete()
        return found

    monkeypatch.setattr(outbox, "_subscribers", delete_after)
    issuing.reissue(ticket)
    assert EventTicket.objects.get().code_generation == 1
