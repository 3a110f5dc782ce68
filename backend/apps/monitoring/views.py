"""For monitors: /healthz, /readyz and /metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.jobs import dispatch
from apps.core.telemetry.serving import add_processes, may_read_metrics
from apps.mail import sending
from apps.publishing import backlog as state_of_work
from apps.storage_checks import examinations, usage
from apps.wallets import passes
from apps.webhooks import upkeep as webhooks
from apps.webhooks.recording import QUEUE

logger = logging.getLogger("apps.events.watching")

HELP = {
    "pending": "tickets whose files are on their way",
    "retrying": "tickets whose last attempt failed and that are tried again",
    "given_up": "tickets that failed for good and wait for a person",
    "leased": "tickets that a worker is at",
    "oldest_wait": "seconds since the most overdue ticket should have been tried",
    "oldest_wish": "seconds that the ticket that waits longest has waited for its files",
    "files_to_delete": "files of deleted tickets that are still on storage",
    "oldest_deletion": "seconds that the oldest of them has waited",
    "events_to_follow": "changed events whose tickets are about to be made anew",
    "webhooks_pending": "webhook messages on their way",
    "webhooks_given_up": "webhook messages that no endpoint took in time",
    "webhooks_oldest_wait": "seconds since the most overdue webhook message should have been sent",
    "mail_pending": "messages that the mail server has not taken yet",
    "mail_oldest": "seconds that the oldest of them has waited",
    "webhook_endpoints_troubled": "webhook endpoints that are on and failed several times in a row",
}


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked, so that a broken neighbour never has it restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether to send requests here: 200, or 503 with the reasons. `impaired` says what is amiss besides."""
    reasons = state_of_work.unready()
    impaired = [] if reasons else state_of_work.impaired()
    answer = {"ready": not reasons, "reasons": reasons, "impaired": impaired}
    return JsonResponse(answer, status=503 if reasons else 200)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What the database and the broker know, the same from whichever machine, and what the processes of this one
    counted. Needs METRICS_TOKEN."""
    if not may_read_metrics(request.headers.get("Authorization", "")):
        raise Http404
    registry = CollectorRegistry()
    registry.register(_Database())
    registry.register(_Wallets())
    add_processes(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Database:
    """All that needs the database. When it is away, what processes counted is told all the same."""

    def collect(self) -> Iterator[Metric]:
        try:
            known = [*_Backlog().collect(), *_Storage().collect()]
        except DatabaseError as error:
            logger.warning("Metrics without the database: %s", error)
            known = []
        yield GaugeMetricFamily("admit_database_up", "Whether the database answered: 1, or 0", value=bool(known))
        yield from known


class _Backlog:
    def collect(self) -> Iterator[Metric]:
        backlogs = (state_of_work.backlog(), webhooks.backlog(), sending.backlog())
        for name, value in {name: value for backlog in backlogs for name, value in asdict(backlog).items()}.items():
            yield GaugeMetricFamily(f"admit_{name}", HELP[name].capitalize(), value=value)
        queues = GaugeMetricFamily("admit_queue_tasks", "Tasks that wait for a worker", labels=["queue"])
        for name, bulk in ((dispatch.INTERACTIVE, False), (dispatch.BULK, True)):
            length = dispatch.queue_length(bulk=bulk)
            if length is not None:
                queues.add_metric([name], length)
        waiting = dispatch.tasks_waiting(QUEUE)
        if waiting is not None:
            queues.add_metric([QUEUE], waiting)
        yield queues


class _Storage:
    """What was kept of looking at storage; nothing is asked of it here."""

    def collect(self) -> Iterator[Metric]:
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


class _Wallets:
    def collect(self) -> Iterator[Metric]:
        ends = GaugeMetricFamily(
            "admit_wallet_credentials_end_seconds",
            "When the first of the certificates that passes are signed with expires, as a Unix time",
            labels=["wallet"],
        )
        for wallet, moment in passes.expiries().items():
            ends.add_metric([wallet.name.lower()], moment.timestamp())
        yield ends
        off = GaugeMetricFamily(
            "admit_wallet_off", "1 for a wallet that is configured but cannot make passes, else 0", labels=["wallet"]
        )
        problems = passes.problems()
        for wallet in passes.Wallet:
            off.add_metric([wallet.name.lower()], float(wallet in problems))
        yield off


urlpatterns = [path("healthz", alive), path("readyz", ready), path("metrics", metrics)]
