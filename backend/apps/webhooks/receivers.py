"""Listens to the domain: what happens to tickets is written down for those who asked to be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.events import signals
from apps.events.models import EventTicket

from .models import EventType
from .recording import record


def connect() -> None:
    signals.ticket_ready.connect(on_ready, dispatch_uid="webhooks")
    signals.ticket_failed.connect(on_failed, dispatch_uid="webhooks")
    signals.ticket_reissued.connect(on_reissued, dispatch_uid="webhooks")
    signals.ticket_deleted.connect(on_deleted, dispatch_uid="webhooks")


def on_ready(tickets: Sequence[EventTicket], **_: Any) -> None:
    record(EventType.READY, tickets)


def on_failed(tickets: Sequence[EventTicket], reason: str, **_: Any) -> None:
    record(EventType.FAILED, tickets, reason)


def on_reissued(tickets: Sequence[EventTicket], **_: Any) -> None:
    record(EventType.REISSUED, tickets)


def on_deleted(tickets: Sequence[EventTicket], **_: Any) -> None:
    record(EventType.DELETED, tickets)
