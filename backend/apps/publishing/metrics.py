"""What counts about the files of tickets: attempts, rendering, deletions, and the backlog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apps.core.jobs.dispatch import BULK, INTERACTIVE
from apps.core.telemetry.metrics import Counter, Histogram, Metric, gauges_of, initialises_series
from apps.storage.files import KINDS

from .backlog import backlog

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

HELP: Final = {
    "pending": "Tickets whose files are on their way",
    "retrying": "Tickets whose last attempt failed and that are tried again",
    "given_up": "Tickets that failed for good and wait for a person",
    "leased": "Tickets that a worker is at",
    "oldest_wait": "Seconds since the most overdue ticket should have been tried",
    "oldest_wish": "Seconds that the ticket that waits longest has waited for its files",
}


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


def gauges() -> Iterator[Metric]:
    """Yield the backlog, as the database knows it."""
    yield from gauges_of(backlog(), HELP)
