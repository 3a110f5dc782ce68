"""Who sends which message, and what is written down of how it ended. Nothing here touches the network.

Claims are made under the lock on an endpoint's row, so that of any number of workers one at a time chooses what goes
there, and no more is under way to it than its share.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from apps.core.jobs.timing import LAST_RETRY, LEASE, backoff

from .models import TROUBLED, WebhookEndpoint, WebhookMessage, WebhookMessageQuerySet
from .outbound import Answer

logger = logging.getLogger(__name__)

LONGEST_HOLD = timedelta(minutes=5)  # between two probes of an endpoint that does not answer well
LOOK = 40  # messages that a claim looks at together
GONE = 410
State = WebhookMessage.State
Outcome = tuple[WebhookMessage, Answer]


def claim(room: int) -> list[WebhookMessage]:
    """Take up to so many messages that are due, with their endpoints, from as many endpoints as possible."""
    now = timezone.now()
    claimed: list[WebhookMessage] = []
    with transaction.atomic():
        owed = WebhookMessage.objects.due(now).filter(endpoint=OuterRef("pk"))
        # The one that waited longest comes first.
        waiting = WebhookEndpoint.objects.open_at(now).filter(Exists(owed))
        waiting = waiting.order_by(F("last_attempt_at").asc(nulls_first=True), "pk")
        for endpoint in waiting.select_for_update(skip_locked=True, no_key=True)[:room]:
            claimed += _claim_of(endpoint, room - len(claimed), now)
    return claimed


def _claim_of(endpoint: WebhookEndpoint, room: int, now: datetime) -> list[WebhookMessage]:
    theirs = WebhookMessage.objects.filter(endpoint=endpoint)
    # A probe is the message that was tried least, so that one which the endpoint can't take keeps no other back.
    share, order = (1, "attempts") if endpoint.is_troubled else (settings.WEBHOOK_IN_FLIGHT, "next_attempt_at")
    free = min(room, share - theirs.under_way(now).count())
    messages = _choose(theirs, order, free, now)
    if not messages:
        return []
    lease = uuid.uuid4()
    WebhookMessage.objects.filter(pk__in=[message.pk for message in messages]).update(
        lease=lease, next_attempt_at=now + LEASE, attempts=F("attempts") + 1, last_attempt_at=now
    )
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(last_attempt_at=now)
    for message in messages:
        message.lease, message.attempts, message.endpoint = lease, message.attempts + 1, endpoint
    return messages


def _choose(theirs: WebhookMessageQuerySet, order: str, number: int, now: datetime) -> list[WebhookMessage]:
    """Messages that are due, and the first of their tickets.

    Those that are not the first step aside, so that nobody looks at them again and again: until what goes before them
    is settled (see `_record`), or for as long as a lease, whichever comes first.
    """
    chosen: list[WebhookMessage] = []
    while len(chosen) < number:
        due = theirs.due(now).exclude(pk__in=[message.pk for message in chosen])
        looked_at = list(due.order_by(order, "pk")[:LOOK])
        if not looked_at:
            break
        first = theirs.first_of_tickets(message.ticket_id for message in looked_at)
        blocked = [message.pk for message in looked_at if first.get(message.ticket_id, message.pk) != message.pk]
        chosen += [message for message in looked_at if message.pk not in blocked]
        theirs.filter(pk__in=blocked).update(next_attempt_at=now + LEASE)
    return chosen[: max(0, number)]


def record(outcomes: Sequence[Outcome]) -> None:
    """Write down how the attempts ended: for each message, and for how its endpoint is doing."""
    by_endpoint: dict[int, list[Outcome]] = {}
    for message, answer in outcomes:
        by_endpoint.setdefault(message.endpoint_id, []).append((message, answer))
    for pk, theirs in by_endpoint.items():
        with transaction.atomic():
            endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=pk).first()
            if endpoint is not None:  # else it was deleted, and its messages with it
                _record(endpoint, theirs)


def _record(endpoint: WebhookEndpoint, outcomes: Sequence[Outcome]) -> None:
    now = timezone.now()
    was_troubled = endpoint.is_troubled
    theirs = WebhookMessage.objects.pending().filter(endpoint=endpoint)
    settled = _deliver(theirs, [outcome for outcome in outcomes if outcome[1].is_accepted], now)
    if settled:
        endpoint.failures, endpoint.held_until, endpoint.last_success_at = 0, None, now
    for message, answer in outcomes:
        if answer.is_accepted:
            continue
        if not _put_off(theirs, message, answer, now):
            settled.append(message.ticket_id)
        endpoint.failures += 1
        endpoint.last_failure_at, endpoint.last_failure = now, answer.reason[:200]
        if answer.status == GONE:
            endpoint.enabled = False
            logger.warning("Webhook endpoint %s is switched off: it answered 410 Gone.", endpoint.pk)
    if endpoint.is_troubled:
        endpoint.held_until = now + min(backoff(endpoint.failures - TROUBLED + 1), LONGEST_HOLD)
    endpoint.save(
        update_fields=["failures", "held_until", "enabled", "last_success_at", "last_failure_at", "last_failure"]
    )
    waiting = theirs.filter(lease=None, next_attempt_at__gt=now)
    if was_troubled and not endpoint.is_troubled:
        waiting.update(next_attempt_at=now)  # it is back: nothing need wait for its next attempt
    elif settled:
        waiting.filter(ticket_id__in=settled).update(next_attempt_at=now)


def _ours(theirs: WebhookMessageQuerySet, *messages: WebhookMessage) -> WebhookMessageQuerySet:
    """Those whose lease is still ours: whoever overtook us writes down what happened last."""
    return theirs.filter(pk__in=[message.pk for message in messages], lease__in={message.lease for message in messages})


def _deliver(theirs: WebhookMessageQuerySet, accepted: Sequence[Outcome], now: datetime) -> list[uuid.UUID | None]:
    """Write down that these arrived. Answers their tickets, whose next messages may go."""
    for status in {answer.status for _, answer in accepted}:
        messages = [message for message, answer in accepted if answer.status == status]
        _ours(theirs, *messages).update(
            state=State.DELIVERED, delivered_at=now, lease=None, last_status=status, reason=""
        )
    return [message.ticket_id for message, _ in accepted]


def _put_off(theirs: WebhookMessageQuerySet, message: WebhookMessage, answer: Answer, now: datetime) -> bool:
    """Write down when it is tried again; False when it is given up."""
    ours = _ours(theirs, message)
    wait = backoff(message.attempts, min(answer.retry_after or 0, LAST_RETRY.total_seconds()))
    noted = {"lease": None, "last_status": answer.status, "reason": answer.reason[:200]}
    if now + wait < message.give_up_at:
        ours.update(**noted, next_attempt_at=now + wait)
        return True
    if ours.update(**noted, state=State.FAILED):
        logger.warning(
            "Webhook message %s to endpoint %s is given up after %d attempts: %s",
            message.message_id, message.endpoint_id, message.attempts, answer.reason,
        )  # fmt: skip
    return False
