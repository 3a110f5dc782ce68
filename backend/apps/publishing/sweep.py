"""Send tasks for due tickets again: after failed attempts, dead workers and broker outages.

The table is the backlog. A sweep fills the queue only up to a limit (backpressure), so that the queue stays short
however long an outage lasts.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.core.jobs.timing import DISPATCH_TIMEOUT
from apps.events.models import EventTicket

from . import queues, requests
from .outcomes import TICKETS

logger = logging.getLogger("apps.events.publishing.sweep")

TICKETS_PER_TRANSACTION = 500
MAX_TASKS_IN_QUEUE = 200  # up to which sweeps fill each queue
POISON_ATTEMPTS = 2  # after this many attempts that ended with an expired lease, the ticket may be what kills workers


def requeue_due(now: datetime | None = None) -> int:
    """Send tasks for due tickets that no worker has claimed. Return the number of tickets.

    They are postponed by DISPATCH_TIMEOUT in the same transaction, so that the next sweep does not send them again.
    """
    now = now or timezone.now()
    if stuck := TICKETS.give_up_stuck(now, "Every worker that tried to make this ticket died. See the workers' logs."):
        logger.error("Gave up on %d tickets, because their workers died with every attempt.", len(stuck))
    _rerender_misplaced()
    return _requeue(now, in_bulk=False) + _requeue(now, in_bulk=True)


def pending_pks() -> Sequence[int]:
    """Return the primary keys of all tickets with pending files, due or not, oldest first."""
    return list(EventTicket.objects.pending().order_by("pk").values_list("pk", flat=True))


def count_given_up() -> int:
    """Return the number of tickets that were given up."""
    return EventTicket.objects.given_up().count()


def retry_given_up() -> int:
    """Request the files of all given-up tickets again, with all attempts. Return the number of tickets."""
    with transaction.atomic():
        return TICKETS.request_files(
            EventTicket.objects.filter(pk__in=EventTicket.objects.given_up().locked()), bulk=True
        )


def _requeue(now: datetime, *, in_bulk: bool) -> int:
    waiting = queues.queue_length(bulk=in_bulk)
    if waiting is None:
        logger.warning("The broker does not answer; due tickets stay in the database until it does.")
        return 0
    room = max(0, MAX_TASKS_IN_QUEUE - waiting) * queues.TICKETS_PER_TASK
    due = EventTicket.objects.due(now).filter(in_bulk=in_bulk)
    found = list(due.order_by("next_attempt_at").values_list("pk", "lease", "attempts")[:room])
    # A suspected poison pill gets a task of its own, so that it does not take other tickets down with its worker.
    alone = [pk for pk, lease, attempts in found if lease is not None and attempts >= POISON_ATTEMPTS]
    together = sorted({pk for pk, _, _ in found}.difference(alone))
    for pks, per_task in ((alone, 1), (together, queues.TICKETS_PER_TASK)):
        for start in range(0, len(pks), TICKETS_PER_TRANSACTION):
            chunk = pks[start : start + TICKETS_PER_TRANSACTION]
            with transaction.atomic():
                TICKETS.postpone(chunk, DISPATCH_TIMEOUT.total_seconds(), now)
                queues.publish_soon(chunk, bulk=in_bulk, per_task=per_task)
    return len(found)


def _rerender_misplaced() -> None:
    """Re-render re-issued tickets that a worker of the previous version published under their old public ids.

    That happens during a deployment. Publishing them again deletes the files under the old public ids.
    """
    misplaced = EventTicket.objects.filter(~Q(published_suffix=F("public_id_suffix")), state=EventTicket.State.READY)
    if count := requests.rerender_many(misplaced):
        logger.warning("%d re-issued tickets were published under their old public ids; re-rendering them.", count)
