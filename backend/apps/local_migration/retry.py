"""How a long run keeps at it: it tries again when that helps, and stands still while the gate is closed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from apps.storage import gateway, retry
from apps.storage.gateway import MediaError

Answer = TypeVar("Answer")

ATTEMPTS = 3  # each of which tries several times at once
FIRST_WAIT = 1.0  # seconds; triples with every attempt
LIMITS = 10  # rate limits that one call may meet, one after the other


def wait_after(attempts: int) -> float:
    """Seconds to wait after so many attempts that failed, spread so that a crowd doesn't come back at once."""
    return float(FIRST_WAIT * 3 ** (attempts - 1)) * random.uniform(1.0, 1.5)  # noqa: S311 # jitter, no secret


class Pace:
    """Shared by all threads of one run. `on_hold` is told for how many seconds everything stands still."""

    def __init__(self, on_hold: Callable[[float], None] = lambda seconds: None) -> None:
        self._on_hold = on_hold
        self._lock = threading.Lock()
        self._told_until = 0.0

    def held_for(self) -> float:
        """Seconds until calls are let through again, 0 when they are."""
        seconds = gateway.limiter.retry_after()
        until = time.monotonic() + seconds
        with self._lock:
            is_news = seconds > 0 and until > self._told_until + 1
            if is_news:
                self._told_until = until
        if is_news:
            self._on_hold(seconds)
        return seconds

    def wait(self) -> None:
        """Sleep until nobody has to hold back."""
        while (left := self.held_for()) > 0:
            time.sleep(min(left, 1.0))

    def keep_trying(self, call: Callable[[], Answer]) -> Answer:
        """The answer of the first attempt that succeeds. Raises the MediaError that is for good, or the last one."""
        failures = limits = 0
        while True:
            self.wait()
            try:
                return retry.call_with_retries(call)
            except MediaError as error:
                failures, limits = failures + (not error.is_rate_limit), limits + error.is_rate_limit
                if not error.is_temporary or failures == ATTEMPTS or limits == LIMITS:
                    raise
                if not error.is_rate_limit:
                    time.sleep(wait_after(failures))
