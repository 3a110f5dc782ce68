"""Test the supported engines: SQLite with a folder as broker, PostgreSQL with RabbitMQ, PostgreSQL with Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.events import issuing
from apps.events.issuing import Holder
from apps.events.models import EventTicket
from apps.publishing import queues, sweep
from apps.storage import gateway
from apps.webhooks.models import WebhookMessage
from cloudlet.testing import RunningCloudlet
from tests.brokers import running_rabbitmq, running_redis
from tests.factories import make_endpoint, make_event, make_organiser, make_ticket
from tests.pictures import codes_in_png
from tests.webhooks.receiver import receiving
from tests.workers import faults, sending_to, wait_until, working

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.xdist_group("engines"),  # each broker is started once
]

State = EventTicket.State
IS_SQLITE = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")

BROKERS = ["filesystem"] if IS_SQLITE else ["rabbitmq", "redis"]


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "filesystem":
        yield "filesystem://"
        return
    url = request.getfixturevalue(f"{request.param}_url")
    with sending_to(url):
        yield url


def ready() -> int:
    return EventTicket.objects.filter(state=State.READY).count()


def test_issued_tickets_become_ready(cloudlet: RunningCloudlet, broker: str) -> None:
    """Two workers publish 60 tickets of a mass issue, and one of a buyer who waits."""
    latency = {"call": "upload", "kind": "latency", "ms": 250}
    with faults(cloudlet, [latency]), working(broker, "interactive"), working(broker, "bulk"):
        first = make_ticket()
        wait_until(lambda: ready() == 1, 90, "the first ticket ready")
        assert queues.queue_length(bulk=False) == 0
        issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(60)])
        single = make_ticket()
        wait_until(lambda: EventTicket.objects.get(pk=single.pk).state == State.READY, 90, "the buyer's ticket ready")
        assert ready() < 62, "the buyer waited for the mass issue"
        wait_until(lambda: ready() == 62, 120, "all tickets ready")
    first.refresh_from_db()
    assert codes_in_png(gateway.fetch(gateway.QR_CODE, first.qr_code_cloudinary_id, first.qr_code_version))


if not IS_SQLITE:  # the filesystem broker does not preserve the order

    def test_buyer_waits_for_a_mass_issue_in_the_same_queue(
        cloudlet: RunningCloudlet, broker: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control: one queue for all tickets."""
        monkeypatch.setattr(dispatch, "INTERACTIVE", dispatch.BULK)
        crowd = [
            ticket.pk for ticket in issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(120)])
        ]
        single = make_ticket()
        latency = {"call": "upload", "kind": "latency", "ms": 250}
        with faults(cloudlet, [latency]), working(broker, "bulk"):
            wait_until(
                lambda: EventTicket.objects.get(pk=single.pk).state == State.READY, 90, "the buyer's ticket ready"
            )
        assert EventTicket.objects.filter(pk__in=crowd, state=State.READY).count() == 120


def test_queue_length_is_known(broker: str) -> None:
    before = queues.queue_length(bulk=True)  # tasks left by earlier tests
    issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(220)])
    wait_until(lambda: queues.queue_length(bulk=True) == before + 3, 5, "three tasks in the queue")
    sweep.requeue_due(timezone.now())
    assert queues.queue_length(bulk=True) == before + 3


def test_worker_of_the_webhooks_queue_delivers(
    cloudlet: RunningCloudlet, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "True")
    with receiving() as receiver, working(broker, "interactive"), working(broker, "webhooks"):
        endpoint = make_endpoint(make_organiser(), receiver.url)
        ticket = make_ticket(event=make_event(organiser=endpoint.organiser))
        wait_until(lambda: len(receiver.received) == 1, 60, "the message received")
        assert receiver.received[0].verified_with(endpoint.secret)["data"]["ticket_id"] == str(ticket.ticket_id)
        delivered = WebhookMessage.objects.filter(state=WebhookMessage.State.DELIVERED)
        wait_until(delivered.exists, 30, "the delivery recorded")
