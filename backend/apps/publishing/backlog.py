"""The backlog of publishing: how much work is due or pending, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q
from django.utils import timezone

from apps.events.models import EventTicket

State = EventTicket.State


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work that is owed to storage. Ages are in seconds; 0 when nothing waits."""

    pending: int
    retrying: int
    given_up: int
    leased: int
    oldest_wait: float
    oldest_wish: float


def backlog(now: datetime | None = None) -> Backlog:
    """Two statements, each over the partial index of what is owed."""
    now = now or timezone.now()
    owed = EventTicket.objects.owed().aggregate(
        pending=Count("pk", filter=Q(state=State.PENDING)),
        retrying=Count("pk", filter=Q(state=State.FAILED)),
        leased=Count("pk", filter=Q(lease_until__gt=now)),
        since=Min("next_attempt_at"),
        wished_since=Min("wished_at"),
    )
    return Backlog(
        pending=owed["pending"],
        retrying=owed["retrying"],
        given_up=EventTicket.objects.given_up().count(),
        leased=owed["leased"],
        oldest_wait=_age(owed["since"], now),
        oldest_wish=_age(owed["wished_since"], now),
    )


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
