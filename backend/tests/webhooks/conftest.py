"""Fixtures of an integrator's running server, and of the endpoint that is registered for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.core.jobs import dispatch
from apps.events.models import EventTicket
from apps.webhooks.models import WebhookEndpoint
from tests.factories import make_endpoint, make_event, make_organiser, make_ticket

from .receiver import Receiver, receiving


@pytest.fixture
def private(settings: Any) -> None:
    """Allow endpoints on this machine."""
    settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tasks from being sent, so that only the test delivers messages."""
    monkeypatch.setattr(dispatch, "send", lambda *_: None)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def endpoint(receiver: Receiver) -> WebhookEndpoint:
    return make_endpoint(make_organiser(), receiver.url)


@pytest.fixture
def ticket(endpoint: WebhookEndpoint) -> EventTicket:
    return make_ticket(event=make_event(organiser=endpoint.organiser))
