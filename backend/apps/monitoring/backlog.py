"""The backlog of every kind of job, as gauges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.utils import timezone

from apps.core.jobs import kinds
from apps.core.telemetry.metrics import GaugeMetricFamily, Metric

# The names of the previous release, which dashboards may still ask for: what they are called now, and their help texts.
FORMER_NAMES: Final = {
    "pending": ("ticket", ("waiting",), "Tickets whose files are on their way"),
    "retrying": ("ticket", ("retrying",), "Tickets whose last attempt failed and that are tried again"),
    "given_up": ("ticket", ("given_up",), "Tickets that failed for good and wait for a person"),
    "leased": ("ticket", ("leased",), "Tickets that a worker is at"),
    "oldest_wait": ("ticket", ("overdue",), "Seconds since the most overdue ticket should have been tried"),
    "oldest_wish": ("ticket", ("oldest",), "Seconds that the ticket that waits longest has waited for its files"),
    "mail_pending": ("mail", ("waiting", "retrying"), "Messages that the mail server has not taken yet"),
    "mail_oldest": ("mail", ("oldest",), "Seconds that the oldest of them has waited"),
    "files_to_delete": ("file_deletion", ("waiting", "retrying"), "Files of deleted tickets that are still on storage"),
    "oldest_deletion": ("file_deletion", ("oldest",), "Seconds that the oldest of them has waited"),
    "webhooks_pending": ("webhook", ("waiting", "retrying"), "Webhook messages on their way"),
    "webhooks_given_up": ("webhook", ("given_up",), "Webhook messages that no endpoint took in time"),
    "webhooks_oldest_wait": ("webhook", ("overdue",), "Seconds since the most overdue one should have been sent"),
    "events_to_follow": ("changed_event", ("waiting", "retrying"), "Changed events whose tickets are about to follow"),
}


def gauges() -> Iterator[Metric]:
    """Yield the number and the ages of the jobs, by kind, as the database knows them."""
    numbers = GaugeMetricFamily(
        "admit_backlog",
        "Jobs: waiting for their first attempt, retrying after a failure, given_up until a person asks for them; "
        "leased are those of the first two that a worker is at",
        labels=["kind", "state"],
    )
    overdue = GaugeMetricFamily(
        "admit_backlog_overdue_seconds",
        "Since the most overdue job should have been tried: it rises when no worker takes the work",
        labels=["kind"],
    )
    oldest = GaugeMetricFamily(
        "admit_backlog_oldest_seconds",
        "Since the oldest pending job was requested: it rises when no worker takes the work, and when attempts fail",
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
