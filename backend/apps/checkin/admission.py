"""The door: what a scanned code is worth, and letting its holder in exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.utils import timezone

from apps.events.codes import find_ticket
from apps.events.models import Event, EventTicket
from apps.events.permissions import may_admit, may_check
from apps.events.ticket_columns import mark_used

from . import metrics

if TYPE_CHECKING:
    from apps.accounts.models import User


class Verdict(StrEnum):
    """What the door is told. The values are part of the API and never change their meaning."""

    VALID = "valid"
    USED = "used"
    REISSUED = "reissued"
    UNKNOWN = "unknown"
    WRONG_EVENT = "wrong_event"


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict, and the ticket it is about; no ticket when the code is unknown to the one who asks."""

    verdict: Verdict
    ticket: EventTicket | None = None


def check(text: str, user: User, event: Event | None = None) -> Check:
    """What the code is worth to this member of staff, at this event if one is named. Changes nothing.

    A ticket of somebody else's event is unknown, so that codes can't be used to explore other organisers' events.
    """
    ticket, is_current = find_ticket(text)
    if ticket is None or not may_check(user, ticket.event):
        return Check(Verdict.UNKNOWN)
    if event is not None and ticket.event_id != event.pk:
        return Check(Verdict.WRONG_EVENT, ticket)
    if not is_current:
        return Check(Verdict.REISSUED, ticket)
    return Check(Verdict.USED if ticket.is_used else Verdict.VALID, ticket)


def admit(text: str, user: User, event: Event | None = None, now: datetime | None = None) -> Check:
    """Let the holder in: VALID for exactly one of any number of simultaneous scans, USED for all others.

    One conditional UPDATE decides; it must change exactly one row, also if the ticket is re-issued meanwhile. Raises
    PermissionDenied for those who may look at the ticket but not change it.
    """
    try:
        result = _admit(text, user, event, now or timezone.now())
    except PermissionDenied:
        metrics.admissions.labels("forbidden").inc()
        raise
    metrics.admissions.labels("admitted" if result.verdict is Verdict.VALID else result.verdict.value).inc()
    return result


def _admit(text: str, user: User, event: Event | None, now: datetime) -> Check:
    while True:
        result = check(text, user, event)
        ticket = result.ticket
        if ticket is not None and not may_admit(user, ticket.event):
            raise PermissionDenied("You may look at this ticket, but not let anybody in with it.")
        if result.verdict is not Verdict.VALID or ticket is None:
            return result
        # Who loses looks again, and is told what the row says by then: nobody is VALID who has not won.
        if mark_used(ticket, now):
            return result
