"""The same code on every engine: SQLite and a folder, PostgreSQL and RabbitMQ, PostgreSQL and Redis, by two URLs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

State = EventTicket.State
IS_SQLITE = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")


# The tests of one broker run in one process, so that it is started once.
BROKERS = [
    pytest.param(name, marks=pytest.mark.xdist_group(name))
    for name in (["filesystem"] if IS_SQLITE else ["rabbitmq", "redis"])
]


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    match request.param:
        case "rabbitmq":
            server = running_rabbitmq(tmp_path_factory.mktemp("rabbitmq"))
        case "redis":
            server = running_redis(tmp_path_factory.mktemp("redis"))
        case _:
            messages = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"])
            for message in messages.iterdir():
                message.unlink()  # what earlier tests sent
            yield "filesystem://"
            return
    with server as url, sending_to(url):
        yield url


def ready() -> int:
    return EventTicket.objects.filter(state=State.READY).count()


def test_tickets_that_are_issued_become_ready(cloudlet: RunningCloudlet, broker: str) -> None:
    """Two workers, as on many machines; 160 tickets for a crowd, one for a buyer who waits for it."""
    latency = {"call": "upload", "kind": "latency", "ms": 250}
    with faults(cloudlet, [latency]), working(broker, "interactive"), working(broker, "bulk"):
        first = make_ticket()
        wait_until(lambda: ready() == 1, 90, "the first ticket ready")
        assert queues.queue_length(bulk=False) == 0
        issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(160)])
        single = make_ticket()
        wait_until(lambda: EventTicket.objects.get(pk=single.pk).state == State.READY, 90, "the buyer's ticket ready")
        assert ready() < 162, "the buyer did not wait for the crowd"
        wait_until(lambda: ready() == 162, 120, "the crowd's tickets ready")
    first.refresh_from_db()
    assert codes_in_png(gateway.fetch(gateway.QR_CODE, first.qr_code_cloudinary_id, first.qr_code_version))


if not IS_SQLITE:  # the filesystem broker keeps no order

    def test_in_one_queue_with_the_crowd_a_buyer_waits_for_all_of_it(
        cloudlet: RunningCloudlet, broker: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control of the lanes: as many workers, and one queue."""
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


def test_the_length_of_a_queue_is_told(broker: str) -> None:
    before = queues.queue_length(bulk=True)  # what the workers of an earlier test left
    issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(220)])
    wait_until(lambda: queues.queue_length(bulk=True) == before + 3, 5, "three tasks in the queue")
    sweep.requeue_due(timezone.now())
    assert queues.queue_length(bulk=True) == before + 3


def test_a_webhook_arrives_from_a_worker_of_its_queue(
    cloudlet: RunningCloudlet, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "True")
    with receiving() as receiver, working(broker, "interactive"), working(broker, "webhooks"):
        endpoint = make_endpoint(make_organiser(), receiver.url)
        ticket = make_ticket(event=make_event(organiser=endpoint.organiser))
        wait_until(lambda: len(receiver.received) == 1, 60, "the message at its endpoint")
        assert receiver.received[0].verified_with(endpoint.secret)["data"]["ticket_id"] == str(ticket.ticket_id)
        delivered = WebhookMessage.objects.filter(state=WebhookMessage.State.DELIVERED)
        wait_until(delivered.exists, 30, "the delivery written down")
