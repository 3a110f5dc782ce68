"""Of each ticket in order, each message by one worker, and nobody waits for the slow and the stuck."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from apps.events.models import EventTicket
from apps.webhooks import delivery, jobs
from apps.webhooks.models import TROUBLED, EventType, WebhookEndpoint, WebhookMessage
from tests.factories import make_endpoint, make_organiser
from tests.races import at_once
from tests.workers import wait_until

from .receiver import Received, Receiver, Reply, receiving
from .telling import State, crowd, let_time_pass, states, tell

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.usefixtures("private", "no_broker"),
]


# -- Order ---------------------------------------------------------------------------------------------------------


def test_of_one_ticket_nothing_overtakes_what_failed_and_others_do_not_wait(
    receiver: Receiver, endpoint: WebhookEndpoint
) -> None:
    stuck, other = crowd(endpoint, 2)
    receiver.answer = lambda received: Reply(
        500 if received.content["type"] == "ticket.ready" and received.ticket == str(stuck.ticket_id) else 200
    )
    tell(EventType.READY, stuck, other)
    tell(EventType.REISSUED, stuck, other)
    tell(EventType.READY, other)
    tell(EventType.DELETED, stuck)
    delivery.deliver_due()
    assert receiver.types(other.ticket_id) == ["ticket.ready", "ticket.reissued", "ticket.ready"]
    assert receiver.types(stuck.ticket_id) == ["ticket.ready"]

    receiver.answer_with()
    let_time_pass()
    delivery.deliver_due()
    assert receiver.types(stuck.ticket_id) == ["ticket.ready", "ticket.ready", "ticket.reissued", "ticket.deleted"]


def test_any_number_of_messages_that_must_wait_hide_none_that_can_go(
    receiver: Receiver, endpoint: WebhookEndpoint
) -> None:
    stuck, other = crowd(endpoint, 2)
    receiver.answer = lambda received: Reply(500 if received.ticket == str(stuck.ticket_id) else 200)
    for _ in range(jobs.LOOK + 10):
        tell(EventType.READY, stuck)
    tell(EventType.READY, other)
    delivery.deliver_due()
    assert len(receiver.types(stuck.ticket_id)) == 1
    assert len(receiver.types(other.ticket_id)) == 1

    receiver.answer = lambda received: Reply()
    let_time_pass()
    delivery.deliver_due()
    assert set(states()) == {State.DELIVERED}
    sequence = [got.content["data"]["sequence"] for got in receiver.received if got.ticket == str(stuck.ticket_id)]
    assert sequence[1:] == sorted(set(sequence))


def test_what_is_given_up_lets_the_next_one_through(receiver: Receiver, ticket: EventTicket) -> None:
    receiver.answer_with(500)
    tell(EventType.READY, ticket)
    tell(EventType.REISSUED, ticket)
    WebhookMessage.objects.filter(event_type="ticket.ready").update(give_up_at=timezone.now())
    delivery.deliver_due()
    assert receiver.types() == ["ticket.ready", "ticket.reissued"]
    assert states() == [State.FAILED, State.DELIVERED]


def test_of_one_ticket_the_sequence_rises(receiver: Receiver, endpoint: WebhookEndpoint) -> None:
    both = crowd(endpoint, 2)
    for event_type in (EventType.READY, EventType.REISSUED, EventType.READY):
        tell(event_type, *both)
    delivery.deliver_due()
    for ticket in both:
        sequence = [got.content["data"]["sequence"] for got in receiver.received if got.ticket == str(ticket.ticket_id)]
        assert len(sequence) == 3
        assert sequence == sorted(set(sequence))


# -- Many at once --------------------------------------------------------------------------------------------------


def deliver_at_once(workers: int = 4) -> None:
    at_once([delivery.deliver_due] * workers)


def test_workers_at_once_send_each_message_once_and_in_order(
    receiver: Receiver, endpoint: WebhookEndpoint, settings: Any
) -> None:
    settings.WEBHOOK_IN_FLIGHT = 5
    everybody = crowd(endpoint, 20)
    for event_type in (EventType.READY, EventType.REISSUED, EventType.DELETED):
        tell(event_type, *everybody)
    deliver_at_once()
    assert set(Counter(got.message_id for got in receiver.received).values()) == {1}
    for ticket in everybody:
        assert receiver.types(ticket.ticket_id) == ["ticket.ready", "ticket.reissued", "ticket.deleted"]
    assert receiver.most_under_way <= 5, "all workers together keep to the endpoint's share"


def test_without_the_claim_they_send_it_many_times(
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
    tell(EventType.READY, *crowd(endpoint, 5))
    deliver_at_once()
    assert set(Counter(got.message_id for got in receiver.received).values()) == {4}


def test_one_endpoint_that_is_slow_does_not_delay_another(receiver: Receiver, endpoint: WebhookEndpoint) -> None:
    """In one worker process, and also what happens only once all of the slow one's share is under way."""
    release = threading.Event()

    def slow(received: Received) -> Reply:
        release.wait(60)
        return Reply()

    with receiving() as slow_one:
        slow_one.answer = slow
        tortoise = make_endpoint(make_organiser("Tortoise"), slow_one.url)
        tell(EventType.READY, *crowd(tortoise, 30))
        worker = threading.Thread(target=lambda: at_once([delivery.deliver_due]))
        worker.start()
        try:
            wait_until(lambda: len(slow_one.received) == 8, 30, "the slow endpoint's share under way")
            hares = crowd(endpoint, 30)
            tell(EventType.READY, *hares)
            wait_until(lambda: len(receiver.received) == 30, 60, "everything at the fast endpoint")
            assert len(slow_one.received) == 8
        finally:
            release.set()
            worker.join(60)
        assert slow_one.most_under_way == 8


# -- An endpoint that fails and fails ------------------------------------------------------------------------------


def test_an_endpoint_that_only_fails_is_probed_and_gets_everything_when_it_is_back(
    receiver: Receiver, endpoint: WebhookEndpoint, settings: Any
) -> None:
    settings.WEBHOOK_IN_FLIGHT = 1
    receiver.answer = lambda received: Reply(500)
    tell(EventType.READY, *crowd(endpoint, 20))
    delivery.deliver_due()
    assert len(receiver.received) == TROUBLED, "then it is left in peace for a while"
    for _ in range(3):
        WebhookEndpoint.objects.update(held_until=None)
        delivery.deliver_due()
    assert len(receiver.received) == TROUBLED + 3, "one probe each time"
    assert set(WebhookMessage.objects.values_list("attempts", flat=True)) == {0, 1}, "each time another message"

    receiver.answer = lambda received: Reply()
    WebhookEndpoint.objects.update(held_until=None)
    delivery.deliver_due()
    assert set(states()) == {State.DELIVERED}, "those that waited for a later attempt too"
