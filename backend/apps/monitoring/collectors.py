"""Collect the gauges that apps compute from the database or the configuration for each scrape."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import DatabaseError

import apps.storage_checks.metrics
import apps.wallets.metrics
import apps.webhooks.metrics
from apps.core.jobs import kinds
from apps.core.telemetry.metrics import GaugeMetricFamily, Metric

from . import backlog

logger = logging.getLogger("apps.events.watching")


class DatabaseCollector:
    """Gauges that need the database. If it does not answer, a scrape still has the metrics of processes."""

    def collect(self) -> Iterator[Metric]:
        try:
            gauges = [
                *apps.webhooks.metrics.gauges(),
                *backlog.gauges(),
                _queue_lengths(),
                *apps.storage_checks.metrics.gauges(),
            ]
        except DatabaseError as error:
            logger.warning("Metrics without the database: %s", error)
            gauges = []
        yield GaugeMetricFamily(
            "admit_database_up",
            "1 if the database answered this scrape, else 0. If 0, all metrics that are read from it are missing:"
            " check the database and the network to it.",
            value=bool(gauges),
        )
        yield from gauges


class WalletCollector:
    def collect(self) -> Iterator[Metric]:
        yield from apps.wallets.metrics.gauges()


def _queue_lengths() -> Metric:
    lengths = GaugeMetricFamily(
        "admit_queue_tasks",
        "Tasks that wait for a worker, by queue; missing if the broker does not answer. If it keeps rising, the queue"
        " has too few workers.",
        labels=["queue"],
    )
    for name, length in kinds.queue_lengths().items():
        if length is not None:
            lengths.add_metric([name], length)
    return lengths
