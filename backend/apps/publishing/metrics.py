"""What counts about the files of tickets: attempts, rendering, and deletions."""

from __future__ import annotations

from typing import Final

from apps.core.jobs.dispatch import BULK, INTERACTIVE
from apps.core.telemetry.metrics import Counter, Histogram, initialises_series
from apps.storage.files import KINDS

LANES: Final = (INTERACTIVE, BULK)
ATTEMPT_OUTCOMES: Final = ("ready", "overtaken", "retried", "given_up")

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
upload_retries = Counter(
    "admit_upload_retries", "Uploads repeated at once, within one attempt at a ticket", ["kind"], registry=None
)
deletions = Counter(
    "admit_deletions", "Files of deleted tickets, by what came of removing them: removed, or failed", ["outcome"],
    registry=None,
)  # fmt: skip


@initialises_series
def _initialise() -> None:
    for lane in LANES:
        publish_seconds.labels(lane)
    for outcome in ATTEMPT_OUTCOMES:
        attempts.labels(outcome)
    for outcome in ("ok", "failed"):
        render_seconds.labels(outcome)
    for kind in KINDS:
        upload_retries.labels(kind.name)
    for outcome in ("removed", "failed"):
        deletions.labels(outcome)
