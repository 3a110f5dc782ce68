"""Retry storage calls during long runs, and pause all threads while Cloudinary limits the rate of calls."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from apps.storage import gateway, retry
from apps.storage.gateway import MediaError

T = TypeVar("T")

MAX_ATTEMPTS = 3  # each with the quick retries of `apps.storage.retry`
FIRST_WAIT_SECONDS = 1.0  # triples with every attempt
MAX_RATE_LIMITS = 10  # that one call waits for


def wait_after(attempts: int) -> float:
    """Return the seconds to wait after so many failed attempts, with jitter against a thundering herd."""
    return float(FIRST_WAIT_SECONDS * 3 ** (attempts - 1)) * random.uniform(1.0, 1.5)  # noqa: S311 # jitter, no secret


class Retrier:
    """Retries for all threads of one run. `on_rate_limit` is called once per rate limit, with its length in seconds."""

    def __init__(self, on_rate_limit: Callable[[float], None] = lambda seconds: None) -> None:
        self._on_rate_limit = on_rate_limit
        self._lock = threading.Lock()
        self._reported_until = 0.0

    def held_for(self) -> float:
        """Return the seconds until the rate limit is lifted, 0 without one. Report a new one to `on_rate_limit`."""
        seconds = gateway.limiter.retry_after()
        until = time.monotonic() + seconds
        with self._lock:
            is_new = seconds > 0 and until > self._reported_until + 1
            if is_new:
                self._reported_until = until
        if is_new:
            self._on_rate_limit(seconds)
        return seconds

    def wait_for_rate_limit(self) -> None:
        """Sleep until the rate limit is lifted, if there is one."""
        while (left := self.held_for()) > 0:
            time.sleep(min(left, 1.0))

    def call(self, function: Callable[[], T]) -> T:
        """Call the function until it succeeds, and return its result.

        Raises a MediaError that is not temporary at once, else that of the last attempt.
        """
        failures = limits = 0
        while True:
            self.wait_for_rate_limit()
            try:
                return retry.call_with_retries(function)
            except MediaError as error:
                failures, limits = failures + (not error.is_rate_limit), limits + error.is_rate_limit
                if not error.is_temporary or failures == MAX_ATTEMPTS or limits == MAX_RATE_LIMITS:
                    raise
                if not error.is_rate_limit:
                    time.sleep(wait_after(failures))
