"""What has to happen to the outbox from time to time, and what people ask of it: find, repeat, give up, forget."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef, Q
from django.utils import timezone

from apps.core.jobs import dispatch

from .models import TROUBLED, WebhookEndpoint, WebhookMessage, WebhookMessageQuerySet, give_up_time
from .recording import QUEUE, deliver_soon

logger = logging.getLogger(__name__)

TASKS_IN_QUEUE = 4  # that a sweep adds to; each of them sends whatever is due
CHUNK = 2000
State = WebhookMessage.State


def sweep(now: datetime | None = None) -> None:
    """Give up what is too old, and have the rest sent if any of it is due."""
    now = now or timezone.now()
    _give_up(now)
    can_take = WebhookEndpoint.objects.open_at(now).filter(pk=OuterRef("endpoint"))
    if not WebhookMessage.objects.due(now).filter(Exists(can_take)).exists():
        return
    waiting = dispatch.tasks_waiting(QUEUE)
    if waiting is None:
        logger.warning("The broker does not answer; webhooks that are due stay in the database until it does.")
    elif waiting < TASKS_IN_QUEUE:
        deliver_soon()


def _give_up(now: datetime) -> None:
    """Messages whose time ran out before anybody could try them a last time: their endpoint was held, or off."""
    late = WebhookMessage.objects.pending().filter(give_up_at__lte=now)
    late.filter(lease=None, reason="").update(
        state=State.FAILED, reason="The endpoint was off or did not answer other messages for all that time."
    )
    # A lease that still runs belongs to somebody who is trying.
    late.filter(Q(lease=None) | Q(next_attempt_at__lte=now)).update(state=State.FAILED, lease=None)


def send_again(messages: WebhookMessageQuerySet) -> int:
    """Owe them once more, under the same ids, with all the time there is. Answers how many.

    Those of endpoints that are off stay as they are, and those that a worker is sending right now.
    """
    now = timezone.now()
    enabled = WebhookEndpoint.objects.filter(pk=OuterRef("endpoint"), enabled=True)
    chosen = messages.filter(Exists(enabled)).filter(Q(lease=None) | Q(next_attempt_at__lte=now))
    pks = list(chosen.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(pks), CHUNK):
        WebhookMessage.objects.filter(pk__in=pks[start : start + CHUNK]).update(
            state=State.PENDING, attempts=0, next_attempt_at=now, give_up_at=give_up_time(), lease=None, reason=""
        )
    if pks:
        deliver_soon()
    return len(pks)


def forgive(endpoint: WebhookEndpoint) -> None:
    """Forget the endpoint's failures, as after a correction of its URL, and try at once what waits for it."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=0, held_until=None)
    WebhookMessage.objects.pending().filter(endpoint=endpoint, lease=None).update(next_attempt_at=timezone.now())
    deliver_soon()


def forget_old(now: datetime | None = None) -> int:
    """Delete what is settled and happened longer ago than `WEBHOOK_KEEP_DAYS`. Answers how many."""
    until = (now or timezone.now()) - timedelta(days=settings.WEBHOOK_KEEP_DAYS)
    old = WebhookMessage.objects.exclude(state=State.PENDING).filter(created_at__lte=until)
    forgotten = 0
    while pks := list(old.order_by("created_at").values_list("pk", flat=True)[:CHUNK]):
        forgotten += WebhookMessage.objects.filter(pk__in=pks).delete()[0]
    return forgotten


@dataclass(frozen=True, slots=True)
class WebhookBacklog:
    """What is owed to endpoints that are on. The age, of what is owed to those that answer, is in seconds; or 0."""

    webhooks_pending: int
    webhooks_given_up: int
    webhooks_oldest_wait: float
    webhook_endpoints_troubled: int


def backlog(now: datetime | None = None) -> WebhookBacklog:
    now = now or timezone.now()
    owed = WebhookMessage.objects.pending().filter(endpoint__enabled=True)
    # How long a message waits for an endpoint that does not answer says nothing about us.
    answers = Q(endpoint__failures__lt=TROUBLED)
    owed_now = owed.aggregate(number=Count("pk"), since=Min("next_attempt_at", filter=answers))
    return WebhookBacklog(
        webhooks_pending=owed_now["number"],
        webhooks_given_up=WebhookMessage.objects.filter(state=State.FAILED).count(),
        webhooks_oldest_wait=max(0.0, (now - owed_now["since"]).total_seconds()) if owed_now["since"] else 0.0,
        webhook_endpoints_troubled=WebhookEndpoint.objects.troubled().count(),
    )
