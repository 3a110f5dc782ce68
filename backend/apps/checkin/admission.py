"""Check scanned codes, and admit the holder of each ticket exactly once."""

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
    """The verdict on a code. The values are part of the API and never change their meaning."""

    VALID = "valid"
    USED = "used"
    REISSUED = "reissued"
    UNKNOWN = "unknown"
    WRONG_EVENT = "wrong_event"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The verdict on a code and the ticket it belongs to; the ticket is None if the verdict is UNKNOWN."""

    verdict: Verdict
    ticket: EventTicket | None = None


def check(text: str, user: User, event: Event | None = None) -> CheckResult:
    """Return the verdict on a code for this user, at the event if one is given. Change nothing.

    A ticket of an event that the user does not check is UNKNOWN, so that codes disclose nothing about the events of
    other organisers.
    """
    ticket, is_current = find_ticket(text)
    if ticket is None or not may_check(user, ticket.event):
        return CheckResult(Verdict.UNKNOWN)
    if event is not None and ticket.event_id != event.pk:
        return CheckResult(Verdict.WRONG_EVENT, ticket)
    if not is_current:
        return CheckResult(Verdict.REISSUED, ticket)
    return CheckResult(Verdict.USED if ticket.is_used else Verdict.VALID, ticket)


def admit(text: str, user: User, event: Event | None = None, now: datetime | None = None) -> CheckResult:
    """Admit the ticket's holder: of any number of simultaneous scans one gets VALID, all others get USED.

    One conditional UPDATE decides, also if the ticket is re-issued meanwhile. Raises PermissionDenied if the user may
    check the ticket but not admit its holder.
    """
    try:
        result = _admit(text, user, event, now or timezone.now())
    except PermissionDenied:
        metrics.admissions.labels("forbidden").inc()
        raise
    metrics.admissions.labels("admitted" if result.verdict is Verdict.VALID else result.verdict.value).inc()
    return result


def _admit(text: str, user: User, event: Event | None, now: datetime) -> CheckResult:
    while True:
        result = check(text, user, event)
        ticket = result.ticket
        if ticket is not None and not may_admit(user, ticket.event):
            raise PermissionDenied("You may check this ticket, but not admit its holder.")
        if result.verdict is not Verdict.VALID or ticket is None:
            return result
        # A scan that loses the race checks again: VALID is returned only by the scan whose UPDATE changed the row.
        if mark_used(ticket, now):
            return result
