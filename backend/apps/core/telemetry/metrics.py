"""Every number that processes count, by its name on /metrics. Seconds are seconds, and no label names a ticket.

Each process writes its numbers into a memory-mapped file of its own (see `process_files.py`), which costs about a
microsecond a number. Labels take few values, all known in advance, but for routes (as many as the URLconf has) and
tasks. What the database knows is not counted here: `apps.monitoring.views` asks it.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.values import ValueClass

from .process_files import forget_own_gauges

if not getattr(ValueClass, "_multiprocess", False):
    raise RuntimeError("prometheus_client was imported before Django's settings, which tell it where numbers are kept.")
forget_own_gauges()  # before the first number is opened

LANES: Final = ("interactive", "bulk")
FILE_KINDS: Final = ("qr_code", "pdf_ticket")
CALL_OUTCOMES: Final = (
    "ok", "rate_limited", "held_back", "server_error", "timeout", "unreachable", "refused", "misconfigured",
    "error",
)  # fmt: skip
ATTEMPT_OUTCOMES: Final = ("ready", "overtaken", "retried", "given_up")
ADMISSION_RESULTS: Final = ("admitted", "used", "reissued", "unknown", "wrong_event", "forbidden")

# -- Publishing --------------------------------------------------------------------------------------------------

publish_seconds = Histogram(
    "admit_publish_seconds",
    "From the wish for a ticket's files to both of them on storage",
    ["lane"],
    buckets=(0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 4 * 3600, 24 * 3600),
    registry=None,
)
attempts = Counter("admit_attempts", "Attempts to make a ticket's files, by how they ended", ["outcome"], registry=None)
render_seconds = Histogram(
    "admit_render_seconds",
    "Drawing a ticket's QR code and PDF, by how it ended: ok, or failed",
    ["outcome"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=None,
)

# -- Storage -----------------------------------------------------------------------------------------------------

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
upload_retries = Counter(
    "admit_upload_retries", "Uploads repeated at once, within one attempt at a ticket", ["kind"], registry=None
)
deletions = Counter(
    "admit_deletions", "Files of deleted tickets, by what came of removing them: removed, or failed", ["outcome"],
    registry=None,
)  # fmt: skip
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

# -- The door, the web, the tasks --------------------------------------------------------------------------------

admissions = Counter(
    "admit_admissions", "Codes that somebody was to be let in with, by the verdict", ["result"], registry=None
)
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

webhook_seconds = Histogram(
    "admit_webhook_seconds",
    "Webhook messages sent, by the class of the answer's status; none when there was no answer",
    ["status"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=None,
)


def introduce() -> None:
    """Have every series that can be foreseen start at zero, for a first error that never came before is a rise too."""
    for lane in LANES:
        publish_seconds.labels(lane)
    for outcome in ATTEMPT_OUTCOMES:
        attempts.labels(outcome)
    for outcome in ("ok", "failed"):
        render_seconds.labels(outcome)
    for operation, kind in [*((verb, kind) for verb in ("upload", "fetch") for kind in FILE_KINDS), ("destroy", "")]:
        storage_call_seconds.labels(operation, kind)
        for outcome in CALL_OUTCOMES:
            storage_calls.labels(operation, kind, outcome)
    for kind in FILE_KINDS:
        upload_retries.labels(kind)
    for outcome in ("removed", "failed"):
        deletions.labels(outcome)
    for status in ("2xx", "4xx", "5xx", "none"):
        webhook_seconds.labels(status)
    for result in ADMISSION_RESULTS:
        admissions.labels(result)
