"""What counts about storage as a whole: the last check and the last sample; nothing is asked of storage here."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.telemetry.metrics import GaugeMetricFamily, Metric

from . import examinations, usage


def gauges() -> Iterator[Metric]:
    """Yield what the database knows."""
    sample = usage.latest()
    used = GaugeMetricFamily("admit_storage_usage", "What the account uses, in its own units", labels=["measure"])
    for measure in usage.MEASURES:
        if sample is not None and (value := getattr(sample, measure.name)) is not None:
            used.add_metric([measure.label], value)
    yield used
    limit = GaugeMetricFamily("admit_storage_credits_limit", "Credits that the account's plan has")
    if sample is not None and sample.credits_limit is not None:
        limit.add_metric([], sample.credits_limit)
    yield limit
    examination = examinations.last_finished()
    found = GaugeMetricFamily("admit_findings", "What the last storage check found", labels=["problem"])
    ended = GaugeMetricFamily("admit_last_storage_check_seconds", "When it ended, as a Unix time")
    if examination is not None and examination.finished_at is not None:
        ended.add_metric([], examination.finished_at.timestamp())
        counts = {group["problem"]: group["count"] for group in examination.findings}
        for problem in examinations.Problem:
            found.add_metric([problem.value], counts.get(problem.value, 0))
    yield found
    yield ended
