"""Tries a call to storage again, when a moment's patience may cure what was wrong with it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import MediaError

logger = logging.getLogger("apps.events.retrying")
TRIED_ONCE_MORE = "Tried once more: %s"

Answer = TypeVar("Answer")

ATTEMPTS = 3
MAX_ELAPSED_SECONDS = 15.0  # seconds
FIRST_WAIT = 0.25  # seconds; triples with every attempt ...
LONGEST_WAIT = 8.0


def keep_trying(call: Callable[[], Answer], on_retry: Callable[[], None] = lambda: None) -> Answer:
    """The answer of the first of `ATTEMPTS` that succeeds; none is begun after `MAX_ELAPSED_SECONDS` seconds.

    Raises the MediaError of the last one, or at once one that passes by no patience. A rate limit is such a one: the
    gate knows better when it is lifted. `on_retry` is called before every attempt but the first.
    """
    began = time.monotonic()
    wait = FIRST_WAIT
    for _ in range(ATTEMPTS - 1):
        try:
            return call()
        except MediaError as error:
            patient = time.monotonic() - began + wait < MAX_ELAPSED_SECONDS
            if error.is_rate_limit or not error.is_temporary or not patient:
                raise
            logger.info(TRIED_ONCE_MORE, error)
        on_retry()
        time.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 # jitter, no secret
        wait = min(3 * wait, LONGEST_WAIT)
    return call()
