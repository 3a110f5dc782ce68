"""How long a worker may have a job."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

# Longer than any attempt with all its time-outs, so that a lease that ran out belongs to a worker that is dead.
LEASE = timedelta(minutes=3)
# How long the task that was sent after commit, or by a sweep, has before the next sweep sends another.
DISPATCH_GRACE = timedelta(seconds=60)


def first_sweep() -> datetime:
    """Return the moment at which a sweep first looks at new work."""
    return timezone.now() + DISPATCH_GRACE
