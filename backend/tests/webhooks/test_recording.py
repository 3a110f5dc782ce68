"""What happens to a ticket is owed to the endpoints that listen, in the transaction of the change, or not at all."""

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
from apps.webhooks import recording
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
    """The tasks that were handed to the broker."""
    calls: list[str] = []
    monkeypatch.setattr(dispatch, "send", lambda task, arguments, queue: calls.append(f"{task} in {queue}"))
    return calls


def owed(**filters: Any) -> list[str]:
    return list(WebhookMessage.objects.filter(**filters).order_by("pk").values_list("event_type", flat=True))


def raise_rendering_error(*_: Any, **__: Any) -> Any:
    raise RenderingError("This name can't be printed.")


def test_a_ticket_that_is_published_is_told(cloudlet: RunningCloudlet, ticket: EventTicket, sent: list[str]) -> None:
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


def test_a_batch_is_told_by_as_many_queries_as_one(
    cloudlet: RunningCloudlet, endpoint: WebhookEndpoint, django_assert_num_queries: Any, sent: list[str]
) -> None:
    event = make_event(organiser=endpoint.organiser)
    crowd = [make_ticket(event=event) for _ in range(40)]
    sent.clear()
    with transaction.atomic(), django_assert_num_queries(2):
        assert recording.record(EventType.READY, crowd) == 40
    assert sent == ["apps.webhooks.tasks.deliver_due in webhooks"]


def test_without_endpoints_it_costs_one_query(django_assert_num_queries: Any, sent: list[str]) -> None:
    event = make_event()
    crowd = [make_ticket(event=event) for _ in range(3)]
    sent.clear()
    with transaction.atomic(), django_assert_num_queries(1):
        assert recording.record(EventType.READY, crowd) == 0
    assert sent == []


def test_a_failure_that_is_tried_again_is_not_told_and_one_for_good_is(
    ticket: EventTicket, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TICKET_MAX_ATTEMPTS = 2
    outcomes.record([(outcomes.TICKETS.claim_these([ticket.pk])[0], ValueError("by chance"))])
    assert owed() == []

    EventTicket.objects.update(next_attempt_at=timezone.now())
    outcomes.record([(outcomes.TICKETS.claim_these([ticket.pk])[0], ValueError("once too often"))])
    message = WebhookMessage.objects.get()
    assert message.event_type == "ticket.failed"
    assert message.data["reason"] == "ValueError: once too often"


def test_what_can_not_be_printed_is_told_at_once(ticket: EventTicket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_rendering, "render", raise_rendering_error)
    publish(ticket.pk)
    assert owed() == ["ticket.failed"]


def test_a_ticket_that_kills_its_workers_is_told(ticket: EventTicket, settings: Any) -> None:
    past = timezone.now() - timedelta(minutes=1)
    EventTicket.objects.update(attempts=settings.TICKET_MAX_ATTEMPTS, lease_until=past)
    sweep.requeue_due()
    assert owed() == ["ticket.failed"]
    assert "died" in WebhookMessage.objects.get().data["reason"]


def test_an_answer_that_came_too_late_is_not_told(cloudlet: RunningCloudlet, ticket: EventTicket) -> None:
    claimed = outcomes.TICKETS.claim_these([ticket.pk])[0]
    requests.rerender(EventTicket.objects.get(pk=ticket.pk))
    outcomes.record([(claimed, ValueError("of the old wish"))])
    assert owed() == []


def test_a_new_code_is_told_with_its_generation(ticket: EventTicket) -> None:
    issuing.reissue(ticket)
    message = WebhookMessage.objects.get()
    assert (message.event_type, message.data["generation"], message.data["state"]) == ("ticket.reissued", 1, "pending")


DELETIONS: list[Callable[[EventTicket], Any]] = [
    lambda ticket: ticket.delete(),
    lambda ticket: EventTicket.objects.filter(pk=ticket.pk).delete(),
    lambda ticket: ticket.event.delete(),
]


@pytest.mark.parametrize("delete", DELETIONS, ids=["instance", "queryset", "event"])
def test_a_deleted_ticket_is_told_by_whatever_way_it_goes(ticket: EventTicket, delete: Any) -> None:
    delete(EventTicket.objects.get(pk=ticket.pk))
    message = WebhookMessage.objects.get()
    assert (message.event_type, message.ticket_id) == ("ticket.deleted", ticket.ticket_id)
    assert "state" not in message.data
    assert "ticket_url" not in message.data, "there is nothing to ask for any more"


@pytest.mark.parametrize("change", [issuing.reissue, EventTicket.delete])
def test_what_is_rolled_back_never_happened(ticket: EventTicket, change: Any, sent: list[str]) -> None:
    sent.clear()
    with pytest.raises(RuntimeError), transaction.atomic():
        change(ticket)
        assert len(owed()) == 1
        raise RuntimeError
    assert owed() == []
    assert sent == []


def test_a_message_that_can_not_be_written_undoes_the_change(
    ticket: EventTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never lost: the change and its message stand or fall together."""
    monkeypatch.setattr(WebhookMessage.objects, "bulk_create", raise_rendering_error)
    with pytest.raises(RenderingError):
        issuing.reissue(ticket)
    assert EventTicket.objects.get().code_generation == 0


def test_only_endpoints_of_the_own_team_that_are_on_and_want_it_are_told(endpoint: WebhookEndpoint) -> None:
    team = endpoint.organiser
    second = make_endpoint(team, "https://second.example.org/", event_types=["ticket.reissued"])
    make_endpoint(team, "https://off.example.org/", enabled=False)
    make_endpoint(team, "https://deletions.example.org/", event_types=["ticket.deleted"])
    make_endpoint(make_organiser("Rivals"))
    issuing.reissue(make_ticket(event=make_event(organiser=team)))

    told = WebhookMessage.objects.order_by("endpoint")
    assert [message.endpoint_id for message in told] == [endpoint.pk, second.pk]
    assert len({message.message_id for message in told}) == 1, "one event, one id, however many are told"


def test_an_endpoint_that_is_deleted_at_that_moment_fails_nothing(
    ticket: EventTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = recording._listening

    def and_then_deleted(*args: Any) -> Any:
        found = listening(*args)
        WebhookEndpoint.objects.all().delete()
        return found

    monkeypatch.setattr(recording, "_listening", and_then_deleted)
    issuing.reissue(ticket)
    assert EventTicket.objects.get().code_generation == 1
