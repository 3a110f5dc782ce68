"""Maintain the outbox: sweep it, resend messages, reset endpoints, delete old messages."""

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

logger = logging.getLogger("apps.webhooks.upkeep")

MAX_TASKS_IN_QUEUE = 4  # backpressure: a sweep adds none beyond these, as each task sends everything that is due
BATCH_SIZE = 2000
State = WebhookMessage.State


def sweep(now: datetime | None = None) -> None:
    """Give up messages that are past their deadline, and send a task if messages are due."""
    now = now or timezone.now()
    WEBHOOKS.give_up_late(now)
    open_endpoints = WebhookEndpoint.objects.open_at(now).filter(pk=OuterRef("endpoint"))
    if not WEBHOOKS.jobs.due(now).filter(Exists(open_endpoints)).exists():
        return
    waiting = dispatch.tasks_waiting(WEBHOOKS.queue)
    if waiting is None:
        logger.warning("The broker does not answer; webhooks that are due wait in the database until it does.")
    elif waiting < MAX_TASKS_IN_QUEUE:
        WEBHOOKS.send()


def resend(messages: WebhookMessageQuerySet) -> int:
    """Send the messages again, under the same ids and with a new deadline. Return their number.

    Leave out messages of endpoints that are off, and messages that a worker is sending right now.
    """
    enabled = WebhookEndpoint.objects.filter(pk=OuterRef("endpoint"), enabled=True)
    pks = list(messages.filter(Exists(enabled)).order_by("pk").values_list("pk", flat=True))
    number = 0
    for start in range(0, len(pks), BATCH_SIZE):
        with transaction.atomic():
            now = timezone.now()
            free = WEBHOOKS.jobs.filter(pk__in=pks[start : start + BATCH_SIZE]).unclaimed(now).locked()
            columns = {"state": State.PENDING, "give_up_at": give_up_time()}
            number += WEBHOOKS.request(WEBHOOKS.jobs.filter(pk__in=free), now, **columns)
    if number:
        WEBHOOKS.send()
    return number


def reset_failures(endpoint: WebhookEndpoint) -> None:
    """Reset the endpoint's failures, for example after its URL was corrected, and send its messages at once."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=0, held_until=None)
    WEBHOOKS.hasten(WEBHOOKS.jobs.filter(endpoint=endpoint))
    WEBHOOKS.send()


def delete_old(now: datetime | None = None) -> int:
    """Delete messages that are settled and older than `WEBHOOK_KEEP_DAYS`. Return their number."""
    until = (now or timezone.now()) - timedelta(days=settings.WEBHOOK_KEEP_DAYS)
    old = WebhookMessage.objects.exclude(state=State.PENDING).filter(created_at__lte=until)
    deleted = 0
    while pks := list(old.order_by("created_at").values_list("pk", flat=True)[:BATCH_SIZE]):
        deleted += WebhookMessage.objects.filter(pk__in=pks).delete()[0]
    return deleted
