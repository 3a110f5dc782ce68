"""The gauges of /metrics, which each app reads from the database or its configuration when they are asked for."""

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


class Database:
    """All that needs the database. When it is away, what processes counted is told all the same."""

    def collect(self) -> Iterator[Metric]:
        try:
            known = [
                *apps.webhooks.metrics.gauges(),
                *backlog.gauges(),
                _queue_lengths(),
                *apps.storage_checks.metrics.gauges(),
            ]
        except DatabaseError as error:
            logger.warning("Metrics without the database: %s", error)
            known = []
        yield GaugeMetricFamily("admit_database_up", "Whether the database answered: 1, or 0", value=bool(known))
        yield from known


class Wallets:
    def collect(self) -> Iterator[Metric]:
        yield from apps.wallets.metrics.gauges()


def _queue_lengths() -> Metric:
    lengths = GaugeMetricFamily("admit_queue_tasks", "Tasks that wait for a worker", labels=["queue"])
    for name, length in kinds.queue_lengths().items():
        if length is not None:
            lengths.add_metric([name], length)
    return lengths
