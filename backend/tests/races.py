"""Several workers at the same moment, each with a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

Outcome = TypeVar("Outcome")


def at_once(works: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """What each of them answers, in their order; they start together, and what one of them raises is raised here."""
    start = threading.Barrier(len(works), timeout=20)

    def run(work: Callable[[], Outcome]) -> Outcome:
        start.wait()
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
