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
    "Seconds from the request for a ticket's files until both are stored, by queue (lane). If interactive values"
    " exceed a minute, buyers wait: Cloudinary is slow, or there are too few interactive workers.",
    ["lane"],  # dashboards and alerts use the label's old name
    buckets=(0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 4 * 3600, 24 * 3600),
    registry=None,
)
attempts = Counter(
    "admit_attempts",
    "Attempts to publish a ticket, by outcome: ready, overtaken by a newer request, retried later, or given_up until a"
    " person requests it again. Any given_up needs a person.",
    ["outcome"],
    registry=None,
)
render_seconds = Histogram(
    "admit_render_seconds",
    "Seconds to render a ticket's QR code and PDF, by outcome: ok or failed. A failed ticket can't be printed with its"
    " data; the back office shows the reason.",
    ["outcome"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=None,
)
upload_retries = Counter(
    "admit_upload_retries",
    "Uploads that were retried at once, within one attempt, by kind of file. If the rate rises, Cloudinary or the"
    " network is unreliable.",
    ["kind"],
    registry=None,
)
deletions = Counter(
    "admit_deletions",
    "Attempts to delete a file from storage, by outcome: removed, or failed and retried later. While they fail, links"
    " to files of deleted or re-issued tickets still work.",
    ["outcome"],
    registry=None,
)


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
