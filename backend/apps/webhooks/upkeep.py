"""What has to happen to the outbox from time to time, and what people ask of it: find, repeat, give up, forget."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.core.jobs import dispatch

from .jobs import WEBHOOKS
from .models import WebhookEndpoint, WebhookMessage, WebhookMessageQuerySet, give_up_time

logger = logging.getLogger(__name__)

TASKS_IN_QUEUE = 4  # that a sweep adds to; each of them sends whatever is due
CHUNK = 2000
State = WebhookMessage.State


def sweep(now: datetime | None = None) -> None:
    """Give up what is too old, and have the rest sent if any of it is due."""
    now = now or timezone.now()
    WEBHOOKS.give_up_late(now)
    can_take = WebhookEndpoint.objects.open_at(now).filter(pk=OuterRef("endpoint"))
    if not WEBHOOKS.jobs.due(now).filter(Exists(can_take)).exists():
        return
    waiting = dispatch.tasks_waiting(WEBHOOKS.queue)
    if waiting is None:
        logger.warning("The broker does not answer; webhooks that are due stay in the database until it does.")
    elif waiting < TASKS_IN_QUEUE:
        WEBHOOKS.send()


def send_again(messages: WebhookMessageQuerySet) -> int:
    """Send them once more, under the same ids, with all the time there is. Return how many.

    Messages of endpoints that are off stay as they are, and those that a worker is sending at this moment.
    """
    enabled = WebhookEndpoint.objects.filter(pk=OuterRef("endpoint"), enabled=True)
    pks = list(messages.filter(Exists(enabled)).order_by("pk").values_list("pk", flat=True))
    number = 0
    for start in range(0, len(pks), CHUNK):
        with transaction.atomic():
            now = timezone.now()
            free = WEBHOOKS.jobs.filter(pk__in=pks[start : start + CHUNK]).unclaimed(now).locked()
            columns = {"state": State.PENDING, "give_up_at": give_up_time()}
            number += WEBHOOKS.request(WEBHOOKS.jobs.filter(pk__in=free), now, **columns)
    if number:
        WEBHOOKS.send()
    return number


def forgive(endpoint: WebhookEndpoint) -> None:
    """Forget the endpoint's failures, as after a correction of its URL, and try at once what waits for it."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=0, held_until=None)
    WEBHOOKS.hasten(WEBHOOKS.jobs.filter(endpoint=endpoint))
    WEBHOOKS.send()


def forget_old(now: datetime | None = None) -> int:
    """Delete what is settled and happened longer ago than `WEBHOOK_KEEP_DAYS`. Return how many."""
    until = (now or timezone.now()) - timedelta(days=settings.WEBHOOK_KEEP_DAYS)
    old = WebhookMessage.objects.exclude(state=State.PENDING).filter(created_at__lte=until)
    forgotten = 0
    while pks := list(old.order_by("created_at").values_list("pk", flat=True)[:CHUNK]):
        forgotten += WebhookMessage.objects.filter(pk__in=pks).delete()[0]
    return forgotten
