"""Test the supported engines: SQLite with a folder as broker, PostgreSQL with RabbitMQ, PostgreSQL with Redis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.events import issuing
from apps.events.issuing import Holder
from apps.events.models import EventTicket
from apps.mail.models import OutgoingMail
from apps.publishing import queues, sweep
from apps.storage import gateway
from apps.webhooks.models import WebhookMessage
from cloudlet.testing import RunningCloudlet
from config.email_settings import OUTBOX
from tests.brokers import running_rabbitmq, running_redis
from tests.factories import make_endpoint, make_event, make_organiser, make_ticket
from tests.mail.server import MailServer, mail_server
from tests.pictures import codes_in_png
from tests.webhooks.receiver import Receiver, receiving
from tests.workers import faults, sending_to, wait_until, working

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.xdist_group("engines"),  # each broker, with its workers, is started once
]

State = EventTicket.State
IS_SQLITE = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")

BROKERS = ["filesystem"] if IS_SQLITE else ["rabbitmq", "redis"]


@dataclass(frozen=True, slots=True)
class Outside:
    """The servers to which the workers send."""

    receiver: Receiver
    mails: MailServer


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a broker, to which this process sends its tasks. Yield its URL."""
    if request.param == "filesystem":
        yield "filesystem://"
        return
    running = {"rabbitmq": running_rabbitmq, "redis": running_redis}[request.param]
    with running(tmp_path_factory.mktemp(request.param)) as url, sending_to(url):
        yield url


@pytest.fixture(scope="module")
def workers(django_db_setup: None, cloudlet_server: RunningCloudlet, broker: str) -> Iterator[Outside]:
    """Run a worker for buyers and one for all else, as processes, for the tests of a broker."""
    with receiving() as receiver, mail_server() as mails, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEBHOOK_ALLOW_PRIVATE", "True")
        patch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{mails.port}")
        with working(broker, "interactive"), working(broker, "bulk,webhooks"):
            yield Outside(receiver, mails)


GUESTS = [Holder(name=f"Guest {n}") for n in range(60)]
LATENCY = {"call": "upload", "kind": "latency", "ms": 250}


def is_ready(ticket: EventTicket) -> bool:
    return EventTicket.objects.get(pk=ticket.pk).state == State.READY


def ready() -> int:
    return EventTicket.objects.filter(state=State.READY).count()


def test_issued_tickets_become_ready(cloudlet: RunningCloudlet, workers: Outside) -> None:
    """Two workers publish the tickets of a mass issue, and those of buyers who wait."""
    with faults(cloudlet, [LATENCY]):
        first = make_ticket()
        wait_until(lambda: is_ready(first), 90, "the first ticket ready")
        assert queues.queue_length(bulk=False) == 0
        issuing.issue_many(make_event(), GUESTS)
        single = make_ticket()
        wait_until(lambda: is_ready(single), 90, "the buyer's ticket ready")
        assert ready() < len(GUESTS) + 2, "the buyer waited for the mass issue"
        wait_until(lambda: ready() == len(GUESTS) + 2, 120, "all tickets ready")
    first.refresh_from_db()
    assert codes_in_png(gateway.fetch(gateway.QR_CODE, first.qr_code_cloudinary_id, first.qr_code_version))


if not IS_SQLITE:  # the filesystem broker does not preserve the order

    def test_buyer_waits_for_a_mass_issue_in_the_same_queue(
        cloudlet: RunningCloudlet, workers: Outside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control: one queue for all tickets."""
        monkeypatch.setattr(dispatch, "INTERACTIVE", dispatch.BULK)
        with faults(cloudlet, [LATENCY]):
            issuing.issue_many(make_event(), GUESTS)
            single = make_ticket()
            wait_until(lambda: is_ready(single), 90, "the buyer's ticket ready")
        assert ready() == len(GUESTS) + 1


def test_queue_length_is_known(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BULK", "unserved")
    assert queues.queue_length(bulk=True) == 0
    issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(220)])
    wait_until(lambda: queues.queue_length(bulk=True) == 3, 5, "three tasks in the queue")
    sweep.requeue_due(timezone.now())
    assert queues.queue_length(bulk=True) == 3


def test_worker_of_the_webhooks_queue_delivers(cloudlet: RunningCloudlet, workers: Outside) -> None:
    endpoint = make_endpoint(make_organiser(), workers.receiver.url)
    ticket = make_ticket(event=make_event(organiser=endpoint.organiser))
    wait_until(lambda: len(workers.receiver.received) == 1, 90, "the message received")
    message = workers.receiver.received[0].verified_with(endpoint.secret)
    assert message["data"]["ticket_id"] == str(ticket.ticket_id)
    delivered = WebhookMessage.objects.filter(state=WebhookMessage.State.DELIVERED)
    wait_until(delivered.exists, 30, "the delivery recorded")


def test_worker_of_the_interactive_queue_sends_mail(workers: Outside, settings: Any) -> None:
    settings.EMAIL_BACKEND = OUTBOX
    send_mail("Your code", "It is 4711.", None, ["ann@example.org"])
    wait_until(lambda: not OutgoingMail.objects.exists(), 90, "the message sent and deleted")
    assert [message["To"] for message in workers.mails.received] == ["ann@example.org"]
