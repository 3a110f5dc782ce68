"""Test that no job is lost or left over when processes die at random. benchmarks/chaos.py is the long version."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from apps.events.models import EventTicket
from cloudlet.testing import RunningCloudlet
from tests.brokers import Broker, redis
from tests.workers import sending_to

from .chaos.run import Chaos

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]
if connection.vendor == "sqlite":  # where several workers belong on PostgreSQL, it is tried in the soak only
    pytestmark.append(pytest.mark.soak)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with redis(tmp_path) as server, sending_to(server.url):
        yield server


@pytest.mark.parametrize(("tickets", "sellers"), [(60, 1), pytest.param(100, 2, marks=pytest.mark.soak)])
def test_jobs_of_every_kind_are_done_whatever_dies(
    cloudlet: RunningCloudlet, broker: Broker, tickets: int, sellers: int
) -> None:
    seed = random.randrange(1_000_000)  # noqa: S311 # no secret
    chaos = Chaos(cloudlet, broker, seed, tickets, sellers)
    findings = chaos.run(timeout_seconds=90)
    assert findings == [], f"seed {seed}"
    assert chaos.report["issued"] == tickets
    assert chaos.report["mails"] == tickets
    assert chaos.report["webhooks"] > tickets
    assert chaos.report["webhooks twice"] > 0
    assert chaos.report["deleted"] > 0
    assert EventTicket.objects.count() == tickets - chaos.report["deleted"]
    assert chaos.uploads["refused"] > 0
    assert chaos.uploads["cut off"] > 0


@pytest.mark.soak
def test_tickets_are_lost_without_the_sweep(cloudlet: RunningCloudlet, broker: Broker) -> None:
    """The negative control: tasks in a broker that is killed are lost, and nothing sends them again."""
    chaos = Chaos(cloudlet, broker, seed=1, tickets=40, seconds=4, has_sweep=False)
    assert chaos.run(timeout_seconds=5) != []
