"""Test the order of messages, concurrent workers, and the isolation of slow and failing endpoints."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from apps.events.models import EventTicket
from apps.webhooks import delivery, jobs
from apps.webhooks.models import TROUBLED_FAILURES, EventType, WebhookEndpoint, WebhookMessage
from tests.factories import make_endpoint, make_organiser
from tests.races import at_once
from tests.workers import wait_until

from .helpers import State, end_all_waits, enqueue, issue_tickets, states
from .receiver import Received, Receiver, Reply, receiving

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.usefixtures("private", "no_broker"),
    pytest.mark.integration,
]


# -- Order ---------------------------------------------------------------------------------------------------------


def test_failed_message_blocks_its_own_ticket_only(receiver: Receiver, endpoint: WebhookEndpoint) -> None:
    stuck, other = issue_tickets(endpoint, 2)
    receiver.answer = lambda received: Reply(
        500 if received.content["type"] == "ticket.ready" and received.ticket == str(stuck.ticket_id) else 200
    )
    enqueue(EventType.READY, stuck, other)
    enqueue(EventType.REISSUED, stuck, other)
    enqueue(EventType.READY, other)
    enqueue(EventType.DELETED, stuck)
    delivery.deliver_due()
    assert receiver.types(other.ticket_id) == ["ticket.ready", "ticket.reissued", "ticket.ready"]
    assert receiver.types(stuck.ticket_id) == ["ticket.ready"]

    receiver.answer_with()
    end_all_waits()
    delivery.deliver_due()
    assert receiver.types(stuck.ticket_id) == ["ticket.ready", "ticket.ready", "ticket.reissued", "ticket.deleted"]


def test_many_blocked_messages_do_not_hide_others(receiver: Receiver, endpoint: WebhookEndpoint) -> None:
    stuck, other = issue_tickets(endpoint, 2)
    receiver.answer = lambda received: Reply(500 if received.ticket == str(stuck.ticket_id) else 200)
    for _ in range(jobs.CANDIDATES_PER_QUERY + 10):
        enqueue(EventType.READY, stuck)
    enqueue(EventType.READY, other)
    delivery.deliver_due()
    assert len(receiver.types(stuck.ticket_id)) == 1
    assert len(receiver.types(other.ticket_id)) == 1

    receiver.answer = lambda received: Reply()
    end_all_waits()
    delivery.deliver_due()
    assert set(states()) == {State.DELIVERED}
    sequence = [got.content["data"]["sequence"] for got in receiver.received if got.ticket == str(stuck.ticket_id)]
    assert sequence[1:] == sorted(set(sequence))


def test_message_that_is_given_up_unblocks_the_next(receiver: Receiver, ticket: EventTicket) -> None:
    receiver.answer_with(500)
    enqueue(EventType.READY, ticket)
    enqueue(EventType.REISSUED, ticket)
    WebhookMessage.objects.filter(event_type="ticket.ready").update(give_up_at=timezone.now())
    delivery.deliver_due()
    assert receiver.types() == ["ticket.ready", "ticket.reissued"]
    assert states() == [State.FAILED, State.DELIVERED]


def test_sequence_rises_for_each_ticket(receiver: Receiver, endpoint: WebhookEndpoint) -> None:
    both = issue_tickets(endpoint, 2)
    for event_type in (EventType.READY, EventType.REISSUED, EventType.READY):
        enqueue(event_type, *both)
    delivery.deliver_due()
    for ticket in both:
        sequence = [got.content["data"]["sequence"] for got in receiver.received if got.ticket == str(ticket.ticket_id)]
        assert len(sequence) == 3
        assert sequence == sorted(set(sequence))


# -- Concurrency ---------------------------------------------------------------------------------------------------


def deliver_at_once(workers: int = 4) -> None:
    at_once([delivery.deliver_due] * workers)


def test_concurrent_workers_send_each_message_once_and_in_order(
    receiver: Receiver, endpoint: WebhookEndpoint, settings: Any
) -> None:
    settings.WEBHOOK_IN_FLIGHT = 5
    tickets = issue_tickets(endpoint, 20)
    for event_type in (EventType.READY, EventType.REISSUED, EventType.DELETED):
        enqueue(event_type, *tickets)
    deliver_at_once()
    assert set(Counter(got.message_id for got in receiver.received).values()) == {1}
    for ticket in tickets:
        assert receiver.types(ticket.ticket_id) == ["ticket.ready", "ticket.reissued", "ticket.deleted"]
    assert receiver.max_in_flight <= 5, "the workers together exceeded the endpoint's limit"


def test_workers_without_claims_send_messages_many_times(
    receiver: Receiver, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    reading = threading.Barrier(4, timeout=20)
    first = threading.local()

    def read_only(room: int) -> list[WebhookMessage]:
        if hasattr(first, "done"):
            return []
        first.done = True
        rows = list(WebhookMessage.objects.select_related("endpoint"))
        reading.wait()
        return rows

    monkeypatch.setattr(jobs.WEBHOOKS, "claim", read_only)
    enqueue(EventType.READY, *issue_tickets(endpoint, 5))
    deliver_at_once()
    assert set(Counter(got.message_id for got in receiver.received).values()) == {4}


def test_slow_endpoint_does_not_delay_another(receiver: Receiver, endpoint: WebhookEndpoint) -> None:
    """This holds within one process, also for messages that are enqueued when the slow endpoint is at its limit."""
    release = threading.Event()

    def slow(received: Received) -> Reply:
        release.wait(60)
        return Reply()

    with receiving() as slow_one:
        slow_one.answer = slow
        tortoise = make_endpoint(make_organiser("Tortoise"), slow_one.url)
        enqueue(EventType.READY, *issue_tickets(tortoise, 30))
        worker = threading.Thread(target=lambda: at_once([delivery.deliver_due]))
        worker.start()
        try:
            wait_until(lambda: len(slow_one.received) == 8, 30, "as many messages to the slow endpoint as its limit")
            hares = issue_tickets(endpoint, 30)
            enqueue(EventType.READY, *hares)
            wait_until(lambda: len(receiver.received) == 30, 60, "everything at the fast endpoint")
            assert len(slow_one.received) == 8
        finally:
            release.set()
            worker.join(60)
        assert slow_one.max_in_flight == 8


# -- Troubled endpoints --------------------------------------------------------------------------------------------


def test_troubled_endpoint_is_probed_and_gets_everything_after_recovery(
    receiver: Receiver, endpoint: WebhookEndpoint, settings: Any
) -> None:
    settings.WEBHOOK_IN_FLIGHT = 1
    receiver.answer = lambda received: Reply(500)
    enqueue(EventType.READY, *issue_tickets(endpoint, 20))
    delivery.deliver_due()
    assert len(receiver.received) == TROUBLED_FAILURES, "the endpoint is not held after failures in a row"
    for _ in range(3):
        WebhookEndpoint.objects.update(held_until=None)
        delivery.deliver_due()
    assert len(receiver.received) == TROUBLED_FAILURES + 3, "not one probe each time"
    assert set(WebhookMessage.objects.values_list("attempts", flat=True)) == {0, 1}, "a probe repeated a message"

    receiver.answer = lambda received: Reply()
    WebhookEndpoint.objects.update(held_until=None)
    delivery.deliver_due()
    assert set(states()) == {State.DELIVERED}, "messages that waited for a retry were not sent"
