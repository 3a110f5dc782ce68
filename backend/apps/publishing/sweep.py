"""Finds work that was left behind: by a broker that was down, a worker that died, an attempt that failed.

The table is the backlog, and the queue a short pipe out of it: a sweep adds no more to the queue than workers can
soon take out, so that it stays short through an outage of any length.
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

CHUNK = 500
TASKS_IN_QUEUE = 200  # in each of the queues, as far as sweeps fill it
SUSPICIOUS_DEATHS = 2  # a lease that ran out after so many attempts: the ticket may be what kills its workers


def requeue_due(now: datetime | None = None) -> int:
    """Send the work for the tickets whose files are due and that nobody is making. Answers how many.

    Each is put off by a grace period in the same UPDATE, so that sweeps that overlap don't flood the queue.
    """
    now = now or timezone.now()
    if stuck := TICKETS.give_up_stuck(
        now, "Every worker that made this ticket died on the way. See the workers' logs."
    ):
        logger.error("Gave up on %d tickets, whose workers died with every attempt.", len(stuck))
    _renew_misplaced()
    return _requeue(now, in_bulk=False) + _requeue(now, in_bulk=True)


def pending_pks() -> Sequence[int]:
    """Every ticket whose files are owed, oldest first, whether its next attempt is due or not."""
    return list(EventTicket.objects.pending().order_by("pk").values_list("pk", flat=True))


def given_up() -> int:
    """How many tickets nobody tries any more."""
    return EventTicket.objects.given_up().count()


def take_up_given_up() -> int:
    """Owe the files of the tickets that were given up once more, with all their attempts. Answers how many."""
    with transaction.atomic():
        return TICKETS.request_files(
            EventTicket.objects.filter(pk__in=EventTicket.objects.given_up().locked()), bulk=True
        )


def _requeue(now: datetime, *, in_bulk: bool) -> int:
    waiting = queues.queue_length(bulk=in_bulk)
    if waiting is None:
        logger.warning("The broker does not answer; what is due stays in the database until it does.")
        return 0
    room = max(0, TASKS_IN_QUEUE - waiting) * queues.TICKETS_A_TASK
    due = EventTicket.objects.due(now).filter(in_bulk=in_bulk)
    found = list(due.order_by("next_attempt_at").values_list("pk", "lease", "attempts")[:room])
    alone = [pk for pk, lease, attempts in found if lease is not None and attempts >= SUSPICIOUS_DEATHS]
    together = sorted({pk for pk, _, _ in found}.difference(alone))
    for pks, a_task in ((alone, 1), (together, queues.TICKETS_A_TASK)):
        for start in range(0, len(pks), CHUNK):
            chunk = pks[start : start + CHUNK]
            with transaction.atomic():
                TICKETS.postpone(chunk, DISPATCH_TIMEOUT.total_seconds(), now)
                queues.publish_soon(chunk, bulk=in_bulk, a_task=a_task)
    return len(found)


def _renew_misplaced() -> None:
    """Re-issued tickets that a worker of the previous version published, while a new version is deployed: it took the
    place that links from before lead to. Publishing them anew has those files deleted.
    """
    misplaced = EventTicket.objects.filter(~Q(published_suffix=F("public_id_suffix")), state=EventTicket.State.READY)
    if renewed := requests.rerender_many(misplaced):
        logger.warning("%d re-issued tickets were published at their old places; their files are made anew.", renewed)
