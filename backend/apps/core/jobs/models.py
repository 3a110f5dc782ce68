"""Jobs: rows of the database that stand for work which has to be done.

A job is *pending* until it is done or given up, and *due* once its time has come. A worker takes a *lease* on it: while
the lease runs, no other worker takes it; if the worker dies, the lease runs out and the job is due again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

J = TypeVar("J", bound="Job")


class JobQuerySet(models.QuerySet[J]):
    def pending(self) -> Self:
        """Return the jobs that are neither done nor given up."""
        return self.filter(next_attempt_at__isnull=False)

    def due(self, now: datetime) -> Self:
        """Return the jobs that may be claimed at this moment."""
        return self.pending().unclaimed(now).filter(next_attempt_at__lte=now)

    def unclaimed(self, now: datetime) -> Self:
        """Return the jobs that no worker holds a running lease on."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lte=now))

    def given_up(self) -> Self:
        """Return the jobs that are not tried again unless a person asks for it."""
        return self.none()

    def locked(self) -> list[int]:
        """Lock the rows until the caller's transaction ends, and return their keys.

        Lock rows in primary-key order to avoid deadlocks: a statement about many rows locks them in any order.
        """
        return list(self.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


class Leased(models.Model):
    """A row that one worker at a time works on."""

    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


class Job(Leased):
    """What every kind of job has. Only its `Kind` (see `kinds.py`) writes these columns."""

    # Counts the requests: an outcome is written down only for the request that it belongs to.
    revision = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)  # since the last request, rate limits excluded
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now, editable=False)  # None: done, or given up
    reason = models.CharField(max_length=500, blank=True, default="", editable=False)  # of the last failure

    class Meta:
        abstract = True

    @property
    def deadline(self) -> datetime | None:
        """When the job is given up although attempts are left; None for never."""
        return None
