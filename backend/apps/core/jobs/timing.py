"""Timeouts of leases and of sent tasks."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

# Longer than any attempt with all of its timeouts, so an expired lease means that its worker is dead.
LEASE = timedelta(minutes=3)
# How long a sent task may take to start. After that, a sweep sends another.
DISPATCH_TIMEOUT = timedelta(seconds=60)


def first_sweep() -> datetime:
    """Return the time from which a sweep sends a new job, in case the task that was sent after commit is lost."""
    return timezone.now() + DISPATCH_TIMEOUT
