"""Create the Google Wallet class of an event as soon as its first tickets are ready, before holders request passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from apps.events import signals
from apps.events.models import EventTicket

from . import passes


def connect() -> None:
    signals.ticket_ready.connect(on_ready, dispatch_uid="wallets")


def on_ready(tickets: Sequence[EventTicket], **_: Any) -> None:
    if not settings.GOOGLE_WALLET_CREDENTIALS:
        return
    for event_pk in {ticket.event_id for ticket in tickets}:
        passes.prepare_google_class(event_pk)
