"""Webhook messages as jobs: the choice of messages to claim, and the health of their endpoints.

Messages are chosen under the lock on their endpoint's row, so that only one worker at a time chooses for an endpoint,
and the number of messages in flight never exceeds the endpoint's limit.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.jobs.kinds import Failure, Kind, Result, Settled
from apps.core.jobs.models import JobQuerySet
from apps.core.jobs.timing import LEASE

from .models import TROUBLED_FAILURES, WebhookEndpoint, WebhookMessage

logger = logging.getLogger("apps.webhooks.claims")

MAX_HOLD = timedelta(minutes=5)  # between two probes of a troubled endpoint
CANDIDATES_PER_QUERY = 40
NEVER_TRIED = "The endpoint was off, or did not accept other messages, until the time for retries was over."


class Webhooks(Kind[WebhookMessage]):
    """Messages to endpoints: in order for each ticket, with a limited number in flight for each endpoint."""

    name = "webhook"
    task = "apps.webhooks.tasks.deliver_due"
    queue = "webhooks"
    claimed = {"last_attempt_at": Now()}
    done = {"state": WebhookMessage.State.DELIVERED}
    given_up = {"state": WebhookMessage.State.FAILED}
    counted = Q(endpoint__enabled=True)
    # Messages that wait for a troubled endpoint say nothing about the workers, so their age is not measured.
    timed = Q(endpoint__failures__lt=TROUBLED_FAILURES)

    def choose(self, due: JobQuerySet[WebhookMessage], number: int, now: datetime) -> list[int]:
        """Choose messages of as many endpoints as possible, beginning with the one whose last attempt is the oldest."""
        waiting = WebhookEndpoint.objects.open_at(now).filter(Exists(due.filter(endpoint=OuterRef("pk"))))
        waiting = waiting.order_by(F("last_attempt_at").asc(nulls_first=True), "pk")
        chosen: list[int] = []
        attempted: list[int] = []
        for endpoint in waiting.select_for_update(skip_locked=True, no_key=True)[:number]:
            if first := self._choose_for(endpoint, due, number - len(chosen), now):
                attempted.append(endpoint.pk)
                chosen += first
        WebhookEndpoint.objects.filter(pk__in=attempted).update(last_attempt_at=now)
        return super().choose(due.filter(pk__in=chosen), number, now)

    def _choose_for(
        self, endpoint: WebhookEndpoint, due: JobQuerySet[WebhookMessage], number: int, now: datetime
    ) -> list[int]:
        """Return the keys of messages that are due and have no earlier pending message of the same ticket.

        The keys of a ticket's messages rise in the order of events, because they are written under the lock on its row.
        Messages behind another one are postponed, so that the next claims skip them: until the earlier message is
        settled, but at most for the length of a lease.
        """
        theirs = WebhookMessage.objects.filter(endpoint=endpoint)
        # Probe with the message that was tried least, so that one that the endpoint rejects does not block the others.
        limit, order = (1, "attempts") if endpoint.is_troubled else (settings.WEBHOOK_IN_FLIGHT, "next_attempt_at")
        free = min(number, limit - theirs.in_flight(now).count())
        earlier = theirs.pending().filter(ticket_id=OuterRef("ticket_id"), pk__lt=OuterRef("pk"))
        candidates = due.filter(endpoint=endpoint).order_by(order, "pk").values_list("pk", Exists(earlier))
        chosen: list[int] = []
        while len(chosen) < free and (found := list(candidates.exclude(pk__in=chosen)[:CANDIDATES_PER_QUERY])):
            if blocked := [pk for pk, is_blocked in found if is_blocked]:
                self.postpone(blocked, LEASE.total_seconds())
            chosen += [pk for pk, is_blocked in found if not is_blocked]
        return chosen[: max(0, free)]

    def load(self, claimed: JobQuerySet[WebhookMessage]) -> list[WebhookMessage]:
        return list(claimed.select_related("endpoint").order_by("pk"))

    def lock_before_settling(self, jobs: Sequence[WebhookMessage]) -> None:
        endpoints = WebhookEndpoint.objects.filter(pk__in={job.endpoint_id for job in jobs})
        list(endpoints.select_for_update(no_key=True).order_by("pk").values_list("pk"))

    def settled(self, settled: Sequence[Settled[WebhookMessage]]) -> None:
        """Update the health of the endpoints, and make the messages due that waited for settled ones."""
        by_endpoint: dict[int, list[Settled[WebhookMessage]]] = defaultdict(list)
        for each in settled:
            by_endpoint[each.job.endpoint_id].append(each)
            if each.result is Result.GIVEN_UP and isinstance(each.outcome, Failure):
                logger.warning(
                    "Webhook message %s to endpoint %s was given up after %d attempts: %s",
                    each.job.message_id, each.job.endpoint_id, each.job.attempts, each.outcome.reason,
                )  # fmt: skip
        for endpoint in WebhookEndpoint.objects.filter(pk__in=by_endpoint):
            theirs, messages = by_endpoint[endpoint.pk], self.jobs.filter(endpoint=endpoint)
            if self._has_recovered(endpoint, theirs):
                self.hasten(messages)
            elif tickets := [each.job.ticket_id for each in theirs if each.result in (Result.DONE, Result.GIVEN_UP)]:
                self.hasten(messages.filter(ticket_id__in=tickets))

    def _has_recovered(self, endpoint: WebhookEndpoint, settled: Sequence[Settled[WebhookMessage]]) -> bool:
        """Update the health of an endpoint. Return whether it was troubled and no longer is."""
        now = timezone.now()
        failed = [each.outcome for each in settled if isinstance(each.outcome, Failure)]
        succeeded = len(failed) < len(settled)
        failures = len(failed) + (0 if succeeded else endpoint.failures)
        is_troubled = failures >= TROUBLED_FAILURES
        hold = now + min(self.policy.backoff(failures - TROUBLED_FAILURES + 1), MAX_HOLD) if is_troubled else None
        health: dict[str, Any] = {"failures": failures, "held_until": hold}
        if succeeded:
            health["last_success_at"] = now
        if failed:
            health |= {"last_failure_at": now, "last_failure": failed[-1].reason[:200]}
        if any(failure.values.get("last_status") == HTTPStatus.GONE for failure in failed):
            health["enabled"] = False
            logger.warning("Webhook endpoint %s was switched off, because it answered 410 Gone.", endpoint.pk)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**health)
        return endpoint.is_troubled and not is_troubled

    @transaction.atomic
    def give_up_late(self, now: datetime) -> None:
        """Give up messages whose deadline passed without a last attempt, because their endpoint was held or off."""
        late = self.jobs.filter(pk__in=self.jobs.pending().unclaimed(now).filter(give_up_at__lte=now).locked())
        late.filter(lease=None, reason="").update(reason=NEVER_TRIED)
        late.update(next_attempt_at=None, lease=None, lease_until=None, **self.given_up)


WEBHOOKS = Webhooks(WebhookMessage)
