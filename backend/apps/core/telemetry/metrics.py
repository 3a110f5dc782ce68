"""What every number that processes count has in common; each app declares its own in its `metrics.py`.

Names begin with `admit_`, seconds are seconds, and no label names a row. Each process writes its numbers into
memory-mapped files (see `process_files.py`), which costs about a microsecond a number. Labels take few
values, all known in advance, but for routes (as many as the URLconf has) and tasks. What the database knows is not
counted here: `apps.monitoring` asks each app for its gauges.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from .process_files import open_in_own_slot

__all__ = ["Counter", "Gauge", "GaugeMetricFamily", "Histogram", "Metric"]

open_in_own_slot()

http_request_seconds = Histogram(
    "admit_http_request_seconds",
    "Requests, by the route that served them and the class of the answer's status",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=None,
)
task_seconds = Histogram(
    "admit_task_seconds",
    "Tasks of the workers, by how they ended",
    ["task", "state"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 600),
    registry=None,
)

_initialisers: list[Callable[[], None]] = []


def initialises_series(function: Callable[[], None]) -> Callable[[], None]:
    """Register a function that has every series of its app which can be foreseen start at zero.

    A first error that never came before is a rise too.
    """
    _initialisers.append(function)
    return function


def initialise_series() -> None:
    """Call every registered function. Safe to repeat."""
    for function in _initialisers:
        function()
