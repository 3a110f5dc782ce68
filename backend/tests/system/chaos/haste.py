"""Run Celery with short leases and retries, so that a test takes seconds instead of minutes.

python -m tests.system.chaos.haste worker --queues bulk ...
python -m tests.system.chaos.haste beat ...

`CHAOS_LEASE` is the length of a lease in seconds.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

LEASE_VARIABLE = "CHAOS_LEASE"
LEASE_SECONDS = 6.0
BEAT_SECONDS = 0.5
LONGEST_RETRY = timedelta(seconds=2)
QUIET = timedelta(seconds=1)


def make_haste() -> None:
    """Shorten leases. Call it before other modules import these values."""
    from apps.core.jobs import timing

    timing.LEASE = lease()
    timing.DISPATCH_TIMEOUT = grace(timing.LEASE)


def lease() -> timedelta:
    return timedelta(seconds=float(os.environ.get(LEASE_VARIABLE, LEASE_SECONDS)))


def grace(lease: timedelta) -> timedelta:
    """Return the time before the sweep sends a task again: a third of the lease, at most 10 seconds."""
    return min(lease / 3, timedelta(seconds=10))


def hurry() -> None:
    """Shorten retries, the schedule and the debounce of changed events. Call it after `django.setup()`."""
    from django.conf import settings

    from apps.core.jobs import kinds
    from apps.publishing import invalidation

    for kind in kinds.registered():
        type(kind).policy = kinds.RetryPolicy(timedelta(seconds=0.5), LONGEST_RETRY, kind.policy.max_attempts)
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        if isinstance(entry["schedule"], float):
            entry["schedule"] = BEAT_SECONDS
    invalidation.DEBOUNCE_WINDOW = QUIET


def slow() -> list[str]:
    """Return the modules that imported a lease before it was shortened, and the kinds of jobs with long retries."""
    from apps.core.jobs import kinds, timing

    names = {"LEASE": timing.LEASE, "DISPATCH_TIMEOUT": timing.DISPATCH_TIMEOUT}
    modules = {name: module for name, module in sys.modules.items() if name.startswith("apps.")}
    found = [
        f"{module}.{name}"
        for module, content in modules.items()
        for name, value in names.items()
        if getattr(content, name, value) != value
    ]
    return found + [kind.name for kind in kinds.registered() if kind.policy.longest > LONGEST_RETRY]


if __name__ == "__main__":
    import django

    make_haste()
    django.setup()
    hurry()
    if found := slow():
        sys.exit(f"These timings are not shortened: {', '.join(found)}")
    from celery.__main__ import main

    sys.argv = ["celery", "-A", "config", *sys.argv[1:]]
    main()
