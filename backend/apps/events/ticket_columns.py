"""What the door and a re-issue write into a ticket's row. These columns have no other writer.

`save()` does not write them, so an object that was read earlier undoes neither.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import F

from .models import EventTicket


def mark_used(ticket: EventTicket, now: datetime) -> bool:
    """Admit the ticket's holder. Return False if somebody else was admitted, or the ticket re-issued, in between.

    One conditional UPDATE decides, so that of any number of callers one gets True.
    """
    row = EventTicket.objects.filter(pk=ticket.pk, used_at=None, code_generation=ticket.code_generation)
    if is_first := bool(row.update(used_at=now)):
        ticket.used_at = now
    return is_first


def raise_generation(pks: Collection[int]) -> None:
    """Void every copy of the tickets' signed codes, for the transaction of a re-issue, which has locked the rows."""
    EventTicket.objects.filter(pk__in=pks).update(code_generation=F("code_generation") + 1)
