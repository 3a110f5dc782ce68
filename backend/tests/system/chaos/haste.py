"""Celery with short leases and retries, so that a run sees in seconds what takes minutes otherwise.

python -m tests.system.chaos.haste worker --queues bulk ...
python -m tests.system.chaos.haste beat ...

`CHAOS_LEASE` is how long a lease lasts, in seconds.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

LEASE_VARIABLE = "CHAOS_LEASE"
LEASE_SECONDS = 6.0
BEAT_SECONDS = 0.5


def make_haste() -> None:
    """Before anything copies these values."""
    from apps.core.jobs import timing

    lease = timedelta(seconds=float(os.environ.get(LEASE_VARIABLE, LEASE_SECONDS)))
    timing.LEASE = lease
    timing.DISPATCH_GRACE = grace(lease)


def grace(lease: timedelta) -> timedelta:
    """How long a task has before the sweep takes an interest: a third of the lease, as otherwise."""
    return min(lease / 3, timedelta(seconds=10))


def hurry_retries() -> None:
    from apps.core.jobs import kinds

    for kind in kinds.registered():
        most = kind.policy.max_attempts
        type(kind).policy = kinds.RetryPolicy(timedelta(seconds=0.5), timedelta(seconds=2), most)


def hurry_beat() -> None:
    from django.conf import settings

    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        if isinstance(entry["schedule"], float):
            entry["schedule"] = BEAT_SECONDS


if __name__ == "__main__":
    import django

    make_haste()
    django.setup()
    hurry_retries()
    hurry_beat()
    from apps.publishing import invalidation

    invalidation.QUIET = timedelta(seconds=1)
    from celery.__main__ import main

    sys.argv = ["celery", "-A", "config", *sys.argv[1:]]
    main()
