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
    "Calls to Cloudinary: uploads, deletions (destroy) and fetches, by kind of file and outcome. rate_limited: by"
    " Cloudinary; held_back: not sent because of that, or of our limit of concurrent calls; server_error, timeout and"
    " unreachable: Cloudinary or the network; refused: the file itself; misconfigured: credentials or clock; error: a"
    " bug.",
    ["operation", "kind", "outcome"],
    registry=None,
)
storage_call_seconds = Histogram(
    "admit_storage_call_seconds",
    "Seconds of each call to Cloudinary, successful or not, without the wait for the concurrency limiter. If they rise,"
    " Cloudinary or the network is slow.",
    ["operation", "kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 35),
    registry=None,
)
calls_in_flight = Gauge(
    "admit_storage_calls_in_flight",
    "Calls to Cloudinary in flight, of all processes of this machine. If it stays at admit_storage_call_limit, calls"
    " wait for each other.",
    [],
    multiprocess_mode="livesum",
    registry=None,
)
call_limit = Gauge(
    "admit_storage_call_limit",
    "Concurrent calls to Cloudinary that the limiters of all processes of this machine allow now. It falls when"
    " Cloudinary fails or is slow, and rises again by itself.",
    [],
    multiprocess_mode="livesum",
    registry=None,
)
held_until = Gauge(
    "admit_storage_held_until_seconds",
    "Unix time at which the last rate limit of Cloudinary ends; 0 if there was none. While it is in the future,"
    " publishing waits; if that lasts, ask Cloudinary for a higher limit.",
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
