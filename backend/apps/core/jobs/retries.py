"""The retry policy of jobs: exponential backoff with jitter, and when to give up."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from django.utils import timezone


class Blame(Enum):
    """What caused a failure. It decides whether the attempt counts."""

    JOB = auto()  # the attempt counts
    ENVIRONMENT = auto()  # an outage: counts until half of the attempts are used, however long it lasts
    NOTHING = auto()  # a rate limit: does not count


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. `retry_after` is the wait that a rate limit asks for, in seconds."""

    reason: str
    blame: Blame = Blame.JOB
    retry_after: float | None = None
    is_final: bool = False  # a retry cannot help
    values: Mapping[str, Any] = field(default_factory=dict)  # further columns to write


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff: the wait doubles with every attempt, from `first` up to `longest`.

    Up to 50 % of random jitter is added to each wait, to avoid a thundering herd of jobs that failed together. Without
    `max_attempts`, jobs are retried until they succeed.
    """

    first: timedelta = timedelta(seconds=15)
    longest: timedelta = timedelta(hours=1)
    max_attempts: int | None = None

    def backoff(self, attempts: int, retry_after: float | None = None) -> timedelta:
        """Return the wait after this many failed attempts (1 or more), at least `retry_after` seconds."""
        doublings = min(max(0, attempts - 1), 20)
        wait = max(min(self.first * (1 << doublings), self.longest), timedelta(seconds=retry_after or 0))
        return _with_jitter(wait)

    def after(self, attempts: int, failure: Failure, deadline: datetime | None) -> tuple[int, timedelta | None]:
        """Return the number of attempts that count after this failure, and the wait, which is None to give up."""
        counted, wait = attempts, self.backoff(attempts, failure.retry_after)
        if failure.blame is Blame.NOTHING:
            counted, wait = attempts - 1, self.backoff(1, failure.retry_after)
        elif failure.blame is Blame.ENVIRONMENT and self.max_attempts is not None:
            counted = min(attempts, self.max_attempts // 2)
            if counted < attempts:
                wait = _with_jitter(self.longest)
        gives_up = (
            failure.is_final
            or (failure.blame is Blame.JOB and self.max_attempts is not None and attempts >= self.max_attempts)
            or (deadline is not None and timezone.now() + wait >= deadline)
        )
        return counted, None if gives_up else wait


def _with_jitter(wait: timedelta) -> timedelta:
    return wait * random.uniform(1.0, 1.5)  # noqa: S311 # jitter needs no cryptographic randomness
