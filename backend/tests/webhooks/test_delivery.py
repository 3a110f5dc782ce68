"""Test that webhooks arrive at a real server, signed and at least once, however the server behaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from standardwebhooks.webhooks import WebhookVerificationError

from apps.core.jobs.kinds import Failure, Result, Success
from apps.events import issuing
from apps.events.models import EventTicket
from apps.webhooks import delivery, http_client, maintenance
from apps.webhooks.http_client import PostResult
from apps.webhooks.jobs import WEBHOOKS
from apps.webhooks.models import EventType, WebhookEndpoint, WebhookMessage
from cloudlet.testing import RunningCloudlet
from tests.workers import publish

from .helpers import State, end_all_waits, enqueue, issue_tickets, states
from .receiver import Receiver, Reply, receiving

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.usefixtures("private", "no_broker"),
    pytest.mark.integration,
]


# -- Success -------------------------------------------------------------------------------------------------------


def test_published_ticket_sends_a_signed_message(
    cloudlet: RunningCloudlet, receiver: Receiver, endpoint: WebhookEndpoint, ticket: EventTicket
) -> None:
    publish(ticket.pk)
    assert delivery.deliver_due() == 1

    [got] = receiver.received
    assert got.path == "/hooks?tenant=7"
    assert got.headers["content-type"] == "application/json"
    content = got.verified_with(endpoint.secret)
    assert content["type"] == "ticket.ready"
    assert content["data"]["ticket_id"] == str(ticket.ticket_id)
    message = WebhookMessage.objects.get()
    assert got.message_id == message.message_id
    assert (message.state, message.last_status, message.lease) == (State.DELIVERED, 200, None)
    endpoint.refresh_from_db()
    assert endpoint.last_success_at is not None


def test_signature_is_invalid_for_another_secret(
    receiver: Receiver, endpoint: WebhookEndpoint, ticket: EventTicket
) -> None:
    enqueue(EventType.READY, ticket)
    delivery.deliver_due()
    with pytest.raises(WebhookVerificationError):
        receiver.received[0].verified_with("whsec_" + "AAAA" * 8)


def test_both_secrets_sign_for_a_day_after_a_change(
    receiver: Receiver, endpoint: WebhookEndpoint, ticket: EventTicket
) -> None:
    old = endpoint.secret
    endpoint.change_secret(timezone.now())
    enqueue(EventType.READY, ticket)
    delivery.deliver_due()
    WebhookEndpoint.objects.update(previous_secret_until=timezone.now())
    enqueue(EventType.READY, ticket)
    delivery.deliver_due()

    during, after = receiver.received
    assert during.verified_with(endpoint.secret) == during.verified_with(old)
    assert after.verified_with(endpoint.secret)
    with pytest.raises(WebhookVerificationError):
        after.verified_with(old)


def test_messages_of_a_deleted_ticket_are_sent(receiver: Receiver, ticket: EventTicket) -> None:
    ticket_id = ticket.ticket_id
    issuing.reissue(ticket)
    ticket.event.delete()
    delivery.deliver_due()
    assert receiver.types(ticket_id) == ["ticket.reissued", "ticket.deleted"]


def test_message_of_a_rolled_back_change_is_not_sent(receiver: Receiver, ticket: EventTicket) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        issuing.reissue(ticket)
        raise RuntimeError
    assert delivery.deliver_due() == 0
    assert receiver.received == []


def test_no_webhook_is_sent_inside_a_transaction(
    receiver: Receiver, ticket: EventTicket, network_out_of_place: list[str]
) -> None:
    """The network guard, which watches every test, reports it."""
    enqueue(EventType.READY, ticket)
    with transaction.atomic():
        message = WEBHOOKS.claim(1)[0]
        with pytest.raises(AssertionError):
            delivery.send(message)
    assert network_out_of_place == ["the network was called in a transaction"]
    network_out_of_place.clear()
    assert receiver.received == []


# -- Failure -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_any_other_status_than_2xx_is_retried_with_the_same_id(
    receiver: Receiver, endpoint: WebhookEndpoint, ticket: EventTicket, status: int
) -> None:
    receiver.answer_with(status)
    enqueue(EventType.READY, ticket)
    delivery.deliver_due()
    message = WebhookMessage.objects.get()
    assert (message.state, message.last_status, message.attempts) == (State.PENDING, status, 1)
    assert str(status) in message.reason
    assert message.next_attempt_at > timezone.now()
    assert delivery.deliver_due() == 0, "sent again before it was due"

    end_all_waits()
    delivery.deliver_due()
    first, second = receiver.received
    assert first.message_id == second.message_id
    assert first.body == second.body
    assert states() == [State.DELIVERED]


def test_redirects_are_not_followed(receiver: Receiver, endpoint: WebhookEndpoint, ticket: EventTicket) -> None:
    with receiving() as elsewhere:
        receiver.answer = lambda received: Reply(307, {"Location": elsewhere.url})
        enqueue(EventType.READY, ticket)
        delivery.deliver_due()
        assert elsewhere.received == []
    assert "redirects" in WebhookMessage.objects.get().reason


def test_retry_after_is_respected_up_to_a_limit(receiver: Receiver, ticket: EventTicket) -> None:
    asked = iter(["600", "99999999", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
    receiver.answer = lambda received: Reply(503, {"Retry-After": next(asked)})
    enqueue(EventType.READY, ticket)
    waits = []
    for _ in range(4):
        end_all_waits()
        WebhookMessage.objects.update(attempts=0)
        delivery.deliver_due()
        waits.append((WebhookMessage.objects.get().next_attempt_at - timezone.now()).total_seconds())
    assert 590 < waits[0] < 901
    assert 3590 < waits[1] < 5401, "longer than an hour with jitter"
    assert waits[2] < 30
    assert waits[3] < 30


def test_endpoint_that_was_down_gets_the_message_later(endpoint: WebhookEndpoint, ticket: EventTicket) -> None:
    with receiving() as down:
        pass
    WebhookEndpoint.objects.update(url=down.url)
    enqueue(EventType.READY, ticket)
    delivery.deliver_due()
    assert WebhookMessage.objects.get().reason == "The connection was refused."

    port = int(down.url.split(":")[2].split("/")[0])
    with receiving(port=port) as back:
        end_all_waits()
        delivery.deliver_due()
        assert back.types() == ["ticket.ready"]


def test_message_is_given_up_after_three_days_and_can_be_resent(receiver: Receiver, ticket: EventTicket) -> None:
    receiver.answer_with(500)
    enqueue(EventType.READY, ticket)
    message = WebhookMessage.objects.get()
    assert message.give_up_at - message.created_at > timedelta(hours=71)
    WebhookMessage.objects.update(give_up_at=timezone.now() + timedelta(seconds=10))
    delivery.deliver_due()
    assert states() == [State.FAILED], "the next attempt would be after the deadline"
    end_all_waits()
    assert delivery.deliver_due() == 0

    assert maintenance.resend(WebhookMessage.objects.all()) == 1
    delivery.deliver_due()
    assert states() == [State.DELIVERED]
    first, again = receiver.received
    assert (first.message_id, first.body) == (again.message_id, again.body)


def test_message_that_was_never_tried_is_given_up(
    receiver: Receiver, endpoint: WebhookEndpoint, ticket: EventTicket
) -> None:
    enqueue(EventType.READY, ticket)
    WebhookEndpoint.objects.update(enabled=False)
    assert delivery.deliver_due() == 0
    maintenance.sweep()
    assert states() == [State.PENDING]
    maintenance.sweep(timezone.now() + timedelta(hours=73))
    message = WebhookMessage.objects.get()
    assert (message.state, bool(message.reason)) == (State.FAILED, True)
    assert maintenance.resend(WebhookMessage.objects.all()) == 0, "the endpoint is off"


def test_status_410_disables_the_endpoint(receiver: Receiver, endpoint: WebhookEndpoint, ticket: EventTicket) -> None:
    receiver.answer_with(410)
    enqueue(EventType.READY, ticket)
    delivery.deliver_due()
    endpoint.refresh_from_db()
    assert not endpoint.enabled
    end_all_waits()
    assert delivery.deliver_due() == 0
    enqueue(EventType.READY, ticket)
    assert states() == [State.PENDING], "a message was enqueued for a disabled endpoint"


def test_program_error_fails_its_own_message_only(
    receiver: Receiver, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = issue_tickets(endpoint, 2)
    enqueue(EventType.READY, first, second)
    post = http_client.post

    def broken(url: str, body: bytes, headers: Any) -> PostResult:
        if str(first.ticket_id).encode() in body:
            raise ZeroDivisionError
        return post(url, body, headers)

    monkeypatch.setattr(http_client, "post", broken)
    delivery.deliver_due()
    assert states() == [State.PENDING, State.DELIVERED]


def test_message_is_sent_again_if_the_worker_dies_before_settling(
    receiver: Receiver, ticket: EventTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    enqueue(EventType.READY, ticket)
    enqueue(EventType.REISSUED, ticket)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(WEBHOOKS, "settle", die)
        delivery.deliver_due()
    assert delivery.deliver_due() == 0, "sent while the dead worker's lease was running"

    end_all_waits()
    delivery.deliver_due()
    assert receiver.types() == ["ticket.ready", "ticket.ready", "ticket.reissued"]
    assert receiver.received[0].message_id == receiver.received[1].message_id


def test_worker_whose_lease_ran_out_does_not_settle(receiver: Receiver, ticket: EventTicket) -> None:
    enqueue(EventType.READY, ticket)
    slow = WEBHOOKS.claim(1)
    end_all_waits()
    delivery.deliver_due()
    WEBHOOKS.settle([(slow[0], Failure("Answered 500"))])
    assert states() == [State.DELIVERED]


def test_slow_worker_does_not_settle_a_message_that_was_resent(receiver: Receiver, ticket: EventTicket) -> None:
    enqueue(EventType.READY, ticket)
    slow = WEBHOOKS.claim(1)
    end_all_waits()
    assert maintenance.resend(WebhookMessage.objects.all()) == 1
    assert [each.result for each in WEBHOOKS.settle([(slow[0], Success())])] == [Result.OVERTAKEN]
    assert delivery.deliver_due() == 1
