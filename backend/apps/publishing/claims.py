"""Who works on which ticket: taking the lease on its row.

A claim is one conditional UPDATE, which one of any number of workers wins. Nothing here touches the network.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.core.jobs.timing import LEASE
from apps.events.models import EventTicket


def claim(pks: Sequence[int]) -> list[EventTicket]:
    """Take the lease on those of the tickets that are owed and that nobody is at; they come with their events."""
    now = timezone.now()
    lease = uuid.uuid4()
    owed = EventTicket.objects.owed().unclaimed(now).filter(pk__in=pks)
    with transaction.atomic():
        rows = owed.locked()
        if not rows or not owed.filter(pk__in=rows).update(
            lease=lease, lease_until=now + LEASE, attempts=F("attempts") + 1
        ):
            return []
    # The events are read after the claim: a change of theirs that is missed here finds the lease, and has the ticket
    # made again. Tickets of one event share the object. A ticket may be missing: it was deleted in this very moment.
    tickets = EventTicket.objects.prefetch_related("ticket_type", "event__organiser", "event__images")
    return list(tickets.filter(pk__in=rows, lease=lease))


def put_off(pks: Sequence[int], seconds: float) -> None:
    """Leave the tickets alone for a while: their work can't be done now, through no fault of theirs."""
    until = timezone.now() + timedelta(seconds=seconds)
    waiting = EventTicket.objects.owed().unclaimed(timezone.now()).filter(pk__in=pks, next_attempt_at__lt=until)
    with transaction.atomic():
        waiting.filter(pk__in=waiting.locked()).update(next_attempt_at=until)
