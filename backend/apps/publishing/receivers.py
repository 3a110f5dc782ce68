"""Receivers of the signals of tickets: publish, re-render and delete their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.events import signals
from apps.events.models import EventTicket

from . import requests
from .deletions import enqueue_deletion_of_files
from .queues import publish_soon


def connect() -> None:
    signals.ticket_issued.connect(on_issued, dispatch_uid="publishing")
    signals.ticket_changed.connect(on_changed, dispatch_uid="publishing")
    signals.ticket_reissued.connect(on_reissued, dispatch_uid="publishing")
    signals.ticket_deleted.connect(on_deleted, dispatch_uid="publishing")


def on_issued(tickets: Sequence[EventTicket], bulk: bool, **_: Any) -> None:
    publish_soon([ticket.pk for ticket in tickets if ticket.next_attempt_at is not None], bulk=bulk)


def on_changed(tickets: Sequence[EventTicket], **_: Any) -> None:
    for ticket in tickets:
        requests.follow_change(ticket)


def on_reissued(before: Sequence[EventTicket], bulk: bool, **_: Any) -> None:
    requests.follow_reissue(before, bulk=bulk)


def on_deleted(tickets: Sequence[EventTicket], **_: Any) -> None:
    enqueue_deletion_of_files(tickets)
