"""Run functions concurrently, each with its own database connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def at_once(functions: Sequence[Callable[[], T]]) -> list[T]:
    """Start the functions at the same moment, in threads. Return their results in order, or raise their error."""
    start = threading.Barrier(len(functions), timeout=20)

    def run(function: Callable[[], T]) -> T:
        start.wait()
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))
