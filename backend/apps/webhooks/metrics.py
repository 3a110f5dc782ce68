"""What counts about webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.telemetry.metrics import GaugeMetricFamily, Histogram, Metric, initialises_series

from .models import WebhookEndpoint

webhook_seconds = Histogram(
    "admit_webhook_seconds",
    "Webhook messages sent, by the class of the answer's status; none when there was no answer",
    ["status"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=None,
)


@initialises_series
def _initialise() -> None:
    for status in ("2xx", "4xx", "5xx", "none"):
        webhook_seconds.labels(status)


def gauges() -> Iterator[Metric]:
    """Yield how many endpoints are in trouble, as the database knows it."""
    yield GaugeMetricFamily(
        "admit_webhook_endpoints_troubled",
        "Webhook endpoints that are on and failed several times in a row",
        value=WebhookEndpoint.objects.troubled().count(),
    )
