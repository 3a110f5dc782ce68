"""Invalidation: re-render the tickets of an event after it changed, in bulk and with the same codes.

A ticket's row stores the fingerprint of its published files, and the event's row that of the last invalidation. A
ticket is stale if the event's half of its fingerprint differs from the event's current one. Stale files stay published
until the new ones replace them. Edits are debounced: quick ones are handled together, and one that is undone in time
has no effect.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.functions import Least
from django.utils import timezone

from apps.core.jobs.kinds import Kind, Success, extend_lease
from apps.events.models import Event, EventTicket

from . import fingerprints
from .models import ChangedEvent
from .outcomes import TICKETS

logger = logging.getLogger("apps.events.publishing.cascades")

DEBOUNCE_WINDOW = timedelta(seconds=10)  # from the first edit; later edits within it are handled together with it
TICKETS_PER_TRANSACTION = 2000
State = EventTicket.State
# Tickets that are not pending. Tickets that were given up are included: the change may have fixed what failed.
NOT_PENDING = Q(state=State.READY) | Q(state=State.FAILED, next_attempt_at=None)


class ChangedEvents(Kind[ChangedEvent]):
    """Changes of events whose stale tickets are to be found."""

    name = "changed_event"
    task = "apps.events.tasks.republish_changed"


CHANGED_EVENTS = ChangedEvents(ChangedEvent)


def event_changed(event_id: int, due_at: datetime | None = None) -> None:
    """Request an invalidation, because the event, its ticket types, its pictures or its organiser changed."""
    due_at = due_at or timezone.now() + DEBOUNCE_WINDOW
    while True:
        found, is_new = ChangedEvent.objects.get_or_create(event_id=event_id, defaults={"next_attempt_at": due_at})
        # A run that read the event before this change is overtaken. Of several quick edits, the first sets the time.
        when = Case(When(lease=None, then=Least("next_attempt_at", Value(due_at))), default=Value(due_at))
        if is_new or CHANGED_EVENTS.request(CHANGED_EVENTS.jobs.filter(pk=found.pk), when):
            return


def before_edit(event_id: int) -> None:
    """Store the event's fingerprint if it has none yet, for `after_edit` to compare with."""
    for event in fingerprints.with_printed_relations(Event.objects.filter(pk=event_id, fingerprint="")):
        Event.objects.filter(pk=event_id, fingerprint="").update(fingerprint=fingerprints.event_fingerprint(event))


def after_edit(event_id: int) -> int:
    """Request an invalidation if the edit changed what is printed. Return the number of stale tickets."""
    event = fingerprints.with_printed_relations(Event.objects.filter(pk=event_id)).get()
    if event.fingerprint == fingerprints.event_fingerprint(event):
        return 0
    event_changed(event_id)
    return sum(stale.count() for stale in _stale(event))


def notice_changes(now: datetime | None = None) -> int:
    """Request an invalidation for each event whose fingerprint changed, by whatever way. Return the number of events.

    Past events are skipped; for those, only `event_changed` requests one.
    """
    now = now or timezone.now()
    current = Event.objects.filter(Q(ends_at__gte=now) | Q(starts_at__gte=now - timedelta(days=2)), change=None)
    noticed = 0
    for event in fingerprints.with_printed_relations(current).iterator(chunk_size=500):
        if event.fingerprint != fingerprints.event_fingerprint(event):
            event_changed(event.pk)
            noticed += 1
    return noticed


def republish_changed(now: datetime | None = None) -> int:
    """Request new files for the stale tickets of changed events that are due. Return the number of tickets.

    The sweep sends the work. Safe to run concurrently and to be killed at any point: an event stays due until the files
    of its last stale ticket are requested.
    """
    for pk, due_at in Event.objects.exclude(republish_after=None).values_list("pk", "republish_after"):
        event_changed(pk, due_at)  # before removing the mark, so that a crash in between does not lose the change
        Event.objects.filter(pk=pk).update(republish_after=None)
    marked = 0
    while claimed := CHANGED_EVENTS.claim(1, now):
        (changed,) = claimed
        for event in fingerprints.with_printed_relations(Event.objects.filter(pk=changed.event_id)):
            marked += _republish(event, changed)
        CHANGED_EVENTS.settle([(changed, Success())])
    return marked


def _republish(event: Event, changed: ChangedEvent) -> int:
    _overtake_workers(event)
    marked = 0
    for stale in _stale(event):
        last = 0  # visit each ticket once: during a deployment, workers of the previous version make it stale again
        pks_by_key = stale.order_by("pk").values_list("pk", flat=True)
        while pks := list(pks_by_key.filter(pk__gt=last)[:TICKETS_PER_TRANSACTION]):
            marked += _mark(pks)
            last = pks[-1]
            if not extend_lease(changed):
                return marked  # the worker that has the lease now does the rest
    Event.objects.filter(pk=event.pk).update(fingerprint=fingerprints.event_fingerprint(event))
    if marked:
        logger.info("%d tickets of event %s are re-rendered, because it changed", marked, event.pk)
    return marked


def _stale(event: Event) -> Iterator[QuerySet[EventTicket]]:
    """Yield a query for the stale tickets of each ticket type."""
    for ticket_type, fingerprint in fingerprints.event_fingerprints_by_type(event).items():
        stale = event.tickets.filter(NOT_PENDING, ticket_type=ticket_type).exclude(
            published_fingerprint__startswith=fingerprint
        )
        # Ready tickets without a fingerprint are from before fingerprints existed. They are not known to be stale.
        yield stale if event.fingerprint else stale.exclude(published_fingerprint="", state=State.READY)


def _overtake_workers(event: Event) -> None:
    """Discard the outcomes of workers that may have read the event before it changed."""
    taken = EventTicket.objects.filter(event=event).exclude(lease=None).exclude(state=State.READY)
    with transaction.atomic():
        TICKETS.overtake(taken.filter(pk__in=taken.locked()))


def _mark(pks: list[int]) -> int:
    with transaction.atomic():
        rows = EventTicket.objects.filter(pk__in=EventTicket.objects.filter(NOT_PENDING, pk__in=pks).locked())
        return TICKETS.request_files(rows, bulk=True, due_at=timezone.now())
