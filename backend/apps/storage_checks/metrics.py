"""Gauges of the last storage check and of the last usage sample, read from the database. Never calls storage."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.telemetry.metrics import GaugeMetricFamily, Metric

from . import runs, usage


def gauges() -> Iterator[Metric]:
    """Yield the gauges. Those of which the database has nothing yet have no samples."""
    sample = usage.latest()
    used = GaugeMetricFamily(
        "admit_storage_usage",
        "Usage of the Cloudinary account, sampled once an hour: storage_bytes now, the other measures over the last"
        " 30 days. Compare credits with admit_storage_credits_limit.",
        labels=["measure"],
    )
    for measure in usage.MEASURES:
        if sample is not None and (value := getattr(sample, measure.name)) is not None:
            used.add_metric([measure.label], value)
    yield used
    limit = GaugeMetricFamily(
        "admit_storage_credits_limit",
        "Credits that the Cloudinary plan includes for 30 days. Without credits, Cloudinary may refuse uploads.",
    )
    if sample is not None and sample.credits_limit is not None:
        limit.add_metric([], sample.credits_limit)
    yield limit
    check = runs.last_finished()
    found = GaugeMetricFamily(
        "admit_findings",
        "Findings of the last completed storage check, by problem. All but foreign, unmarked and quota_low need a"
        " repair: run manage.py ticket_doctor --fix.",
        labels=["problem"],
    )
    ended = GaugeMetricFamily(
        "admit_last_storage_check_seconds",
        "Unix time at which the last completed storage check ended; admit_findings is as old as this.",
    )
    if check is not None and check.finished_at is not None:
        ended.add_metric([], check.finished_at.timestamp())
        counts = {group["problem"]: group["count"] for group in check.findings}
        for problem in runs.Problem:
            found.add_metric([problem.value], counts.get(problem.value, 0))
    yield found
    yield ended
