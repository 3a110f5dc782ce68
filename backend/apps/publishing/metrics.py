"""Metrics of publishing: attempts, rendering and deletions."""

from __future__ import annotations

from typing import Final

from apps.core.jobs.dispatch import BULK, INTERACTIVE
from apps.core.telemetry.metrics import Counter, Histogram, initialises_series
from apps.storage.files import KINDS

QUEUES: Final = (INTERACTIVE, BULK)
ATTEMPT_OUTCOMES: Final = ("ready", "overtaken", "retried", "given_up")

publish_seconds = Histogram(
    "admit_publish_seconds",
    "Seconds from the request for a ticket's files until both are on storage, by queue (interactive or bulk)",
    ["lane"],  # dashboards and alerts use the label's old name
    buckets=(0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 4 * 3600, 24 * 3600),
    registry=None,
)
attempts = Counter("admit_attempts", "Attempts to make a ticket's files, by outcome", ["outcome"], registry=None)
render_seconds = Histogram(
    "admit_render_seconds",
    "Duration of rendering a ticket's QR code and PDF in seconds, by outcome: ok or failed",
    ["outcome"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=None,
)
upload_retries = Counter(
    "admit_upload_retries", "Immediate retries of uploads, within one attempt at a ticket", ["kind"], registry=None
)
deletions = Counter(
    "admit_deletions", "Deletions of the files of deleted and re-issued tickets: removed or failed", ["outcome"],
    registry=None,
)  # fmt: skip


@initialises_series
def _initialise() -> None:
    for queue in QUEUES:
        publish_seconds.labels(queue)
    for outcome in ATTEMPT_OUTCOMES:
        attempts.labels(outcome)
    for outcome in ("ok", "failed"):
        render_seconds.labels(outcome)
    for kind in KINDS:
        upload_retries.labels(kind.name)
    for outcome in ("removed", "failed"):
        deletions.labels(outcome)
