"""When a job that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from django.utils import timezone


class Blame(Enum):
    """What was at fault when an attempt failed."""

    JOB = auto()  # uses up attempts
    ENVIRONMENT = auto()  # an outage: uses up half of the attempts at most, however long it lasts
    NOTHING = auto()  # a rate limit: uses up none


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. `at_least` is the wait that a rate limit asks for, in seconds."""

    reason: str
    blame: Blame = Blame.JOB
    at_least: float | None = None
    is_final: bool = False  # trying again can't help
    values: Mapping[str, Any] = field(default_factory=dict)  # further columns to write


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff: the wait doubles with every attempt from `first` up to `longest`.

    Each wait is lengthened by up to a half at random, so that jobs which failed together are not retried together.
    """

    first: timedelta = timedelta(seconds=15)
    longest: timedelta = timedelta(hours=1)
    max_attempts: int | None = None

    def backoff(self, attempts: int, at_least: float | None = None) -> timedelta:
        """Return the wait after so many failed attempts (1 or more), not shorter than `at_least` seconds."""
        doublings = min(max(0, attempts - 1), 20)
        wait = max(min(self.first * (1 << doublings), self.longest), timedelta(seconds=at_least or 0))
        return _spread(wait)

    def after(self, attempts: int, failure: Failure, deadline: datetime | None) -> tuple[int, timedelta | None]:
        """Return how many attempts count after this failure, and the wait for the next one: None to give up."""
        counted, wait = attempts, self.backoff(attempts, failure.at_least)
        if failure.blame is Blame.NOTHING:
            counted, wait = attempts - 1, self.backoff(1, failure.at_least)
        elif failure.blame is Blame.ENVIRONMENT and self.max_attempts is not None:
            counted = min(attempts, self.max_attempts // 2)
            if counted < attempts:
                wait = _spread(self.longest)
        gives_up = (
            failure.is_final
            or (failure.blame is Blame.JOB and self.max_attempts is not None and attempts >= self.max_attempts)
            or (deadline is not None and timezone.now() + wait >= deadline)
        )
        return counted, None if gives_up else wait


def _spread(wait: timedelta) -> timedelta:
    return wait * random.uniform(1.0, 1.5)  # noqa: S311 # jitter, no secret
