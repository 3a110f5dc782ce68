"""Metrics of webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.telemetry.metrics import GaugeMetricFamily, Histogram, Metric, initialises_series

from .models import WebhookEndpoint

webhook_seconds = Histogram(
    "admit_webhook_seconds",
    "Seconds of each attempt to send a webhook message, by the class of the HTTP status. Attempts with another status"
    " than 2xx are retried; none means no response: connection, TLS or timeout.",
    ["status"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=None,
)


@initialises_series
def _initialise() -> None:
    for status in ("2xx", "4xx", "5xx", "none"):
        webhook_seconds.labels(status)


def gauges() -> Iterator[Metric]:
    """Yield the gauges that are read from the database."""
    yield GaugeMetricFamily(
        "admit_webhook_endpoints_troubled",
        "Enabled webhook endpoints that failed at least 5 times in a row, and are probed with one message at a time."
        " Their receivers are probably down, which their organisers must repair.",
        value=WebhookEndpoint.objects.troubled().count(),
    )
