"""What counts about webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apps.core.telemetry.metrics import Histogram, Metric, gauges_of, initialises_series

from .upkeep import backlog

webhook_seconds = Histogram(
    "admit_webhook_seconds",
    "Webhook messages sent, by the class of the answer's status; none when there was no answer",
    ["status"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=None,
)

HELP: Final = {
    "webhooks_pending": "Webhook messages on their way",
    "webhooks_given_up": "Webhook messages that no endpoint took in time",
    "webhooks_oldest_wait": "Seconds since the most overdue webhook message should have been sent",
    "webhook_endpoints_troubled": "Webhook endpoints that are on and failed several times in a row",
}


@initialises_series
def _initialise() -> None:
    for status in ("2xx", "4xx", "5xx", "none"):
        webhook_seconds.labels(status)


def gauges() -> Iterator[Metric]:
    """Yield the backlog, as the database knows it."""
    yield from gauges_of(backlog(), HELP)
