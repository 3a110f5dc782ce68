"""Test the network guard, which watches every other test."""

from __future__ import annotations

import pytest
from django.core.signals import request_finished, request_started
from django.db import transaction

from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.network_guard import MisplacedNetworkCallError


@pytest.mark.django_db(transaction=True)
def test_call_in_a_transaction_is_found(cloudlet: RunningCloudlet, network_out_of_place: list[str]) -> None:
    with pytest.raises(MisplacedNetworkCallError), transaction.atomic():
        gateway.ask_account()
    with pytest.raises(MisplacedNetworkCallError), transaction.atomic():
        gateway.executor()
    gateway.ask_account()
    assert network_out_of_place == ["the network was called in a transaction"] * 2
    network_out_of_place.clear()


@pytest.mark.django_db
def test_call_in_the_transaction_of_the_test_is_allowed(cloudlet: RunningCloudlet) -> None:
    gateway.ask_account()


@pytest.mark.django_db  # request_started uses the connection that an earlier test may have left open
def test_call_in_a_request_is_found(cloudlet: RunningCloudlet, network_out_of_place: list[str]) -> None:
    request_started.send(None)
    with pytest.raises(MisplacedNetworkCallError):
        gateway.fetch(gateway.QR_CODE, "tickets/qr_codes/1/ticket_x")
    request_finished.send(None)
    gateway.ask_account()
    assert network_out_of_place == ["the network was called in a request"]
    network_out_of_place.clear()
