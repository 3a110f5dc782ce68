"""The guard that watches every other test: it sees what it is there to see, and nothing else."""

from __future__ import annotations

import pytest
from django.core.signals import request_finished, request_started
from django.db import transaction

from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.network_guard import NetworkOutOfPlace


@pytest.mark.django_db(transaction=True)
def test_a_call_in_a_transaction_is_seen(cloudlet: RunningCloudlet, network_out_of_place: list[str]) -> None:
    with pytest.raises(NetworkOutOfPlace), transaction.atomic():
        gateway.ask_account()
    with pytest.raises(NetworkOutOfPlace), transaction.atomic():
        gateway.executor()
    gateway.ask_account()
    assert network_out_of_place == ["the network was called in a transaction"] * 2
    network_out_of_place.clear()


@pytest.mark.django_db
def test_the_transaction_around_a_test_does_not_count(cloudlet: RunningCloudlet) -> None:
    gateway.ask_account()


@pytest.mark.django_db  # a request that starts looks at the connection that an earlier test may have left open
def test_a_call_in_a_request_is_seen(cloudlet: RunningCloudlet, network_out_of_place: list[str]) -> None:
    request_started.send(None)
    with pytest.raises(NetworkOutOfPlace):
        gateway.fetch(gateway.QR_CODE, "tickets/qr_codes/1/ticket_x")
    request_finished.send(None)
    gateway.ask_account()
    assert network_out_of_place == ["the network was called in a request"]
    network_out_of_place.clear()
