"""Abstract models of jobs: database rows that stand for work to do.

A job is *pending* until it is done or given up, and *due* once `next_attempt_at` has passed. A worker takes a *lease*
on it. Until the lease expires, no other worker claims the job. If the worker dies, the lease expires and the job is due
again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

J = TypeVar("J", bound="Job")


class JobQuerySet(models.QuerySet[J]):
    """Queries by the state of a job."""

    def pending(self) -> Self:
        """Return the jobs that are neither done nor given up."""
        return self.filter(next_attempt_at__isnull=False)

    def due(self, now: datetime) -> Self:
        """Return the jobs that may be claimed now."""
        return self.pending().unclaimed(now).filter(next_attempt_at__lte=now)

    def unclaimed(self, now: datetime) -> Self:
        """Return the jobs without a lease, or with an expired one."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lte=now))

    def given_up(self) -> Self:
        """Return the jobs that are not retried unless a person requests it; none if the kind deletes such jobs."""
        return self.none()

    def locked(self) -> list[int]:
        """Lock the rows until the caller's transaction ends, and return their primary keys.

        Rows are locked in primary-key order to avoid deadlocks; an UPDATE of many rows locks them in any order.
        """
        return list(self.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


class Leased(models.Model):
    """A row that only one worker at a time works on."""

    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:  # noqa: D106 # options of Django
        abstract = True


class Job(Leased):
    """The columns of every kind of job. Only its `Kind` (see `kinds.py`) writes them."""

    # Counts the requests. A worker's outcome is written only if there was no request since its claim.
    revision = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)  # since the last request, rate limits excluded
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now, editable=False)  # None: done, or given up
    reason = models.CharField(max_length=500, blank=True, default="", editable=False)  # of the last failure

    class Meta:  # noqa: D106 # options of Django
        abstract = True

    @property
    def deadline(self) -> datetime | None:
        """Return the time at which the job is given up although attempts are left, or None for never."""
        return None
