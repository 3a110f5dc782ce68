"""Retry calls to storage that failed for a temporary reason."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import MediaError

logger = logging.getLogger("apps.events.retrying")
RETRYING = "Retrying: %s"

T = TypeVar("T")

ATTEMPTS = 3
MAX_ELAPSED_SECONDS = 15.0
FIRST_WAIT_SECONDS = 0.25  # triples with every attempt
MAX_WAIT_SECONDS = 8.0


def call_with_retries(call: Callable[[], T], on_retry: Callable[[], None] = lambda: None) -> T:
    """Return the result of the call, made up to ATTEMPTS times; no attempt starts after MAX_ELAPSED_SECONDS.

    Raises the MediaError of the last attempt, or at once one that a retry does not help against. That includes rate
    limits, because the concurrency limiter knows how long they last. `on_retry` is called before every retry.
    """
    began = time.monotonic()
    wait = FIRST_WAIT_SECONDS
    for _ in range(ATTEMPTS - 1):
        try:
            return call()
        except MediaError as error:
            is_in_time = time.monotonic() - began + wait < MAX_ELAPSED_SECONDS
            if error.is_rate_limit or not error.is_temporary or not is_in_time:
                raise
            logger.info(RETRYING, error)
        on_retry()
        time.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 # jitter needs no cryptographic randomness
        wait = min(3 * wait, MAX_WAIT_SECONDS)
    return call()
