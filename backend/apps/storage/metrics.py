"""Metrics of calls to storage."""

from __future__ import annotations

from typing import Final

from apps.core.telemetry.metrics import Counter, Gauge, Histogram, initialises_series

from .files import KINDS

FILE_KINDS: Final = tuple(kind.name for kind in KINDS)
CALL_OUTCOMES: Final = (
    "ok", "rate_limited", "held_back", "server_error", "timeout", "unreachable", "refused", "misconfigured",
    "error",
)  # fmt: skip

storage_calls = Counter(
    "admit_storage_calls",
    "Uploads, deletions and fetches of ticket files, by outcome",
    ["operation", "kind", "outcome"],
    registry=None,
)
storage_call_seconds = Histogram(
    "admit_storage_call_seconds",
    "Duration of calls to storage in seconds, failed ones included, without the wait for the concurrency limiter",
    ["operation", "kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 35),
    registry=None,
)
calls_in_flight = Gauge(
    "admit_storage_calls_in_flight", "Running calls to storage", [], multiprocess_mode="livesum", registry=None
)
call_limit = Gauge(
    "admit_storage_call_limit",
    "Concurrent calls to storage that the limiters of all processes allow now; falls when storage fails or slows down",
    [],
    multiprocess_mode="livesum",
    registry=None,
)
held_until = Gauge(
    "admit_storage_held_until_seconds",
    "Unix time at which the last rate limit of storage is lifted; in the past if calls are not paused",
    [],
    multiprocess_mode="livemax",
    registry=None,
)


@initialises_series
def _initialise() -> None:
    for operation, kind in [*((verb, kind) for verb in ("upload", "fetch") for kind in FILE_KINDS), ("destroy", "")]:
        storage_call_seconds.labels(operation, kind)
        for outcome in CALL_OUTCOMES:
            storage_calls.labels(operation, kind, outcome)
