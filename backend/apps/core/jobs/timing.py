"""How long background work may take, and when it is tried again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.utils import timezone

# How long the task that was sent on commit, or by a sweep, has before the (next) sweep takes an interest.
DISPATCH_GRACE = timedelta(seconds=60)
# Longer than both uploads with all their time-outs: a lease that runs out belongs to a worker that is dead.
LEASE = timedelta(minutes=3)
FIRST_RETRY = timedelta(seconds=15)
LAST_RETRY = timedelta(hours=1)


def first_sweep() -> datetime:
    """When the sweep first looks at new work."""
    return timezone.now() + DISPATCH_GRACE


def backoff(attempts: int, at_least: float | None = None) -> timedelta:
    """The wait after that many failed attempts (1 or more), and after a rate limit's own `at_least`, in seconds.

    Doubles with every attempt, and is spread by half so that a crowd does not come back at once.
    """
    doublings = min(max(0, attempts - 1), 20)
    wait = max(min(FIRST_RETRY * (1 << doublings), LAST_RETRY), timedelta(seconds=at_least or 0))
    return _spread(wait)


def longest_backoff() -> timedelta:
    """The wait after any number of failed attempts, where no rate limit asks for more."""
    return _spread(LAST_RETRY)


def _spread(wait: timedelta) -> timedelta:
    return wait * random.uniform(1.0, 1.5)  # noqa: S311 # jitter, no secret
