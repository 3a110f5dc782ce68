"""The metrics of requests and tasks, and the base for each app's own `metrics.py`.

Names begin with `admit_`, and durations are in seconds. Keep the cardinality of labels low: no label names a row, and
all values are known in advance, except routes (as many as the URLconf has) and task names. Each process writes its
metrics into memory-mapped files (see `process_files.py`), which costs about a microsecond for each write. Gauges that
are read from the database are not declared here: `apps.monitoring` collects them from each app.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from .process_files import use_slots

__all__ = ["Counter", "Gauge", "GaugeMetricFamily", "Histogram", "Metric"]

use_slots()

http_request_seconds = Histogram(
    "admit_http_request_seconds",
    "Seconds to answer an HTTP request, by method, route and class of status. 5xx is a bug or an outage: search the"
    " log for errors.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=None,
)
task_seconds = Histogram(
    "admit_task_seconds",
    "Seconds of each Celery task, by task and final state. failure is a bug: the workers' log has the traceback.",
    ["task", "state"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 600),
    registry=None,
)

_initialisers: list[Callable[[], None]] = []


def initialises_series(function: Callable[[], None]) -> Callable[[], None]:
    """Register a function that creates all expected series of its app with the value 0. Works as a decorator.

    Prometheus does not see the first increment of a series that did not exist before, such as the first error.
    """
    _initialisers.append(function)
    return function


def initialise_series() -> None:
    """Call every registered function. Idempotent."""
    for function in _initialisers:
        function()
