"""What counts about calls to storage."""

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
    "Uploads, deletions and fetches that were asked of storage, by what came of them",
    ["operation", "kind", "outcome"],
    registry=None,
)
storage_call_seconds = Histogram(
    "admit_storage_call_seconds",
    "Answers of storage, good ones and bad ones, without the wait for a turn",
    ["operation", "kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 35),
    registry=None,
)
calls_in_flight = Gauge(
    "admit_storage_calls_in_flight", "Calls to storage under way", [], multiprocess_mode="livesum", registry=None
)
call_limit = Gauge(
    "admit_storage_call_limit",
    "Calls to storage that the gates of all processes let through at once, as of today's weather",
    [],
    multiprocess_mode="livesum",
    registry=None,
)
held_until = Gauge(
    "admit_storage_held_until_seconds",
    "When the rate limit that closed a gate last is lifted, as a Unix time; long past when there was none",
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
