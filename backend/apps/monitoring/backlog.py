"""Gauges of the backlog of every kind of job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.utils import timezone

from apps.core.jobs import kinds
from apps.core.telemetry.metrics import GaugeMetricFamily, Metric

# Metric names of the previous release, which dashboards may still use: kind of job, parts of its backlog, help text.
FORMER_NAMES: Final = {
    "pending": ("ticket", ("waiting",), "Tickets that wait for the first attempt to publish them"),
    "retrying": ("ticket", ("retrying",), "Tickets whose last attempt failed and that will be retried"),
    "given_up": ("ticket", ("given_up",), "Tickets that were given up until a person requests them again"),
    "leased": ("ticket", ("leased",), "Tickets that a worker has leased"),
    "oldest_wait": ("ticket", ("overdue",), "Seconds since the most overdue ticket should have been tried"),
    "oldest_wish": ("ticket", ("oldest",), "Seconds since the oldest pending ticket was requested"),
    "mail_pending": ("mail", ("waiting", "retrying"), "Mail that no mail server has accepted yet"),
    "mail_oldest": ("mail", ("oldest",), "Seconds since the oldest pending mail was written"),
    "files_to_delete": ("file_deletion", ("waiting", "retrying"), "Files that are still to be deleted from storage"),
    "oldest_deletion": ("file_deletion", ("oldest",), "Seconds since the oldest pending deletion was requested"),
    "webhooks_pending": ("webhook", ("waiting", "retrying"), "Webhook messages that are still to be delivered"),
    "webhooks_given_up": ("webhook", ("given_up",), "Webhook messages that were given up after their deadline"),
    "webhooks_oldest_wait": (
        "webhook",
        ("overdue",),
        "Seconds since the most overdue webhook message should have been sent",
    ),
    "events_to_follow": (
        "changed_event",
        ("waiting", "retrying"),
        "Changed events whose tickets are still to be re-rendered",
    ),
}


def gauges() -> Iterator[Metric]:
    """Yield the numbers and ages of the jobs by kind, read from the database."""
    numbers = GaugeMetricFamily(
        "admit_backlog",
        "Jobs by kind and state: waiting for the first attempt, retrying after a failure, given_up until a person"
        " requests them again; leased: those waiting or retrying that a worker has now. given_up above 0 needs a"
        " person: Background work in the back office shows the reasons.",
        labels=["kind", "state"],
    )
    overdue = GaugeMetricFamily(
        "admit_backlog_overdue_seconds",
        "Seconds since the most overdue job should have been tried, by kind. If it rises, no worker takes these jobs:"
        " check beat, and the workers of the queue.",
        labels=["kind"],
    )
    oldest = GaugeMetricFamily(
        "admit_backlog_oldest_seconds",
        "Seconds since the oldest pending job was requested, by kind. If it rises, no worker takes these jobs, or their"
        " attempts fail: Background work in the back office shows the reasons.",
        labels=["kind"],
    )
    now = timezone.now()
    backlogs = {kind.name: kind.backlog(now) for kind in kinds.registered()}
    for name, backlog in backlogs.items():
        for state in ("waiting", "retrying", "given_up", "leased"):
            numbers.add_metric([name, state], getattr(backlog, state))
        overdue.add_metric([name], backlog.overdue)
        oldest.add_metric([name], backlog.oldest)
    yield from (numbers, overdue, oldest)
    for former, (name, parts, help_text) in FORMER_NAMES.items():
        value = sum(getattr(backlogs[name], part) for part in parts)
        yield GaugeMetricFamily(f"admit_{former}", f"{help_text} (deprecated: use admit_backlog)", value=value)
