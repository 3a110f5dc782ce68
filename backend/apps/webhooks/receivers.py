"""Listens to the domain: what happens to tickets is written down for those who asked to be told."""

from __future__ import annotations

from functools import partial

from apps.events import signals

from .models import EventType
from .recording import record

TOLD = (
    (signals.ticket_ready, EventType.READY),
    (signals.ticket_failed, EventType.FAILED),
    (signals.ticket_reissued, EventType.REISSUED),
    (signals.ticket_deleted, EventType.DELETED),
)


def connect() -> None:
    for signal, event_type in TOLD:
        signal.connect(partial(record, event_type), weak=False, dispatch_uid="webhooks")
