"""Connect the signals of tickets to the outbox."""

from __future__ import annotations

from functools import partial

from apps.events import signals

from .models import EventType
from .outbox import enqueue

EVENT_TYPES = (
    (signals.ticket_ready, EventType.READY),
    (signals.ticket_failed, EventType.FAILED),
    (signals.ticket_reissued, EventType.REISSUED),
    (signals.ticket_deleted, EventType.DELETED),
)


def connect() -> None:
    for signal, event_type in EVENT_TYPES:
        signal.connect(partial(enqueue, event_type), weak=False, dispatch_uid="webhooks")
