"""Tickets follow their event: what is printed changes, so their files are made anew, in bulk and with the same codes.

What a ticket shows of its event has a digest: its *fingerprint*. A ticket's row keeps the fingerprint of its published files (and
behind it a digest of the ticket's own values, which saving follows), the event keeps the one that its tickets were last
told to show, and tickets whose fingerprint differs are stale. Until new files
are there, the old ones stay where they are. Quick edits are gathered for a moment, and an edit that is taken back in
time costs nothing.
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

QUIET = timedelta(seconds=10)  # edits so soon after the first one are published together with it
CHUNK = 2000
State = EventTicket.State
# Files that nobody is going to make anew by himself; the change may also cure what could not be printed.
SETTLED = Q(state=State.READY) | Q(state=State.FAILED, next_attempt_at=None)


class ChangedEvents(Kind[ChangedEvent]):
    """Events whose tickets have to follow a change."""

    name = "changed_event"
    task = "apps.events.tasks.republish_changed"


CHANGED_EVENTS = ChangedEvents(ChangedEvent)


def event_changed(event_id: int, due_at: datetime | None = None) -> None:
    """Have the event's tickets looked at soon, because it, its ticket types, its pictures or its organiser changed."""
    due_at = due_at or timezone.now() + QUIET
    while True:
        found, is_new = ChangedEvent.objects.get_or_create(event_id=event_id, defaults={"next_attempt_at": due_at})
        # A run that has read the event before this change is overtaken. Of quick edits the first one sets the time.
        when = Case(When(lease=None, then=Least("next_attempt_at", Value(due_at))), default=Value(due_at))
        if is_new or CHANGED_EVENTS.request(CHANGED_EVENTS.jobs.filter(pk=found.pk), when):
            return


def about_to_edit(event_id: int) -> None:
    """Keep what the event's tickets show today, if nobody did yet, so that `edited` sees what the edit changes."""
    for event in fingerprints.with_what_is_printed(Event.objects.filter(pk=event_id, fingerprint="")):
        Event.objects.filter(pk=event_id, fingerprint="").update(fingerprint=fingerprints.event_fingerprint(event))


def edited(event_id: int) -> int:
    """After an edit, do what `event_changed` does if tickets would look different. Answers how many are made anew."""
    event = fingerprints.with_what_is_printed(Event.objects.filter(pk=event_id)).get()
    if event.fingerprint == fingerprints.event_fingerprint(event):
        return 0
    event_changed(event_id)
    return sum(stale.count() for stale in _stale(event))


def notice_changes(now: datetime | None = None) -> int:
    """Find the events that were changed by whatever way, and do for each what `event_changed` does. Answers how many.

    Past events are left alone, except that a change reported by `event_changed` is always published.
    """
    now = now or timezone.now()
    current = Event.objects.filter(Q(ends_at__gte=now) | Q(starts_at__gte=now - timedelta(days=2)), change=None)
    noticed = 0
    for event in fingerprints.with_what_is_printed(current).iterator(chunk_size=500):
        if event.fingerprint != fingerprints.event_fingerprint(event):
            event_changed(event.pk)
            noticed += 1
    return noticed


def republish_changed(now: datetime | None = None) -> int:
    """Mark the stale tickets of the events whose quiet time is over; the sweep sends the work. Return how many.

    Safe to run any number of times at once, and to be killed at any point: the event stays due until the last of its
    tickets is marked.
    """
    for pk, due_at in Event.objects.exclude(republish_after=None).values_list("pk", "republish_after"):
        event_changed(pk, due_at)  # before the mark of the previous version is removed
        Event.objects.filter(pk=pk).update(republish_after=None)
    marked = 0
    while claimed := CHANGED_EVENTS.claim(1, now):
        (changed,) = claimed
        for event in fingerprints.with_what_is_printed(Event.objects.filter(pk=changed.event_id)):
            marked += _republish(event, changed)
        CHANGED_EVENTS.settle([(changed, Success())])
    return marked


def _republish(event: Event, changed: ChangedEvent) -> int:
    _overtake_workers(event)
    marked = 0
    for stale in _stale(event):
        last = 0  # each ticket once: workers of an older version would make it stale again, for as long as they run
        while pks := list(stale.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
            marked += _mark(pks)
            last = pks[-1]
            if not extend_lease(changed):
                return marked  # another worker does the rest
    Event.objects.filter(pk=event.pk).update(fingerprint=fingerprints.event_fingerprint(event))
    if marked:
        logger.info("%d tickets of event %s are made anew, because it changed", marked, event.pk)
    return marked


def _stale(event: Event) -> Iterator[QuerySet[EventTicket]]:
    """The tickets whose files show something else than the event does today, by their types."""
    for ticket_type, fingerprint in fingerprints.event_fingerprints_by_type(event).items():
        stale = event.tickets.filter(SETTLED, ticket_type=ticket_type).exclude(
            published_fingerprint__startswith=fingerprint
        )
        # Published before fingerprints were kept: nothing is known to differ. One that was given up has nothing to lose.
        yield stale if event.fingerprint else stale.exclude(published_fingerprint="", state=State.READY)


def _overtake_workers(event: Event) -> None:
    """A worker that is at a ticket may have read the event before it changed: have it notice when it is done."""
    taken = EventTicket.objects.filter(event=event).exclude(lease=None).exclude(state=State.READY)
    with transaction.atomic():
        TICKETS.overtake(taken.filter(pk__in=taken.locked()))


def _mark(pks: list[int]) -> int:
    with transaction.atomic():
        settled = EventTicket.objects.filter(pk__in=EventTicket.objects.filter(SETTLED, pk__in=pks).locked())
        return TICKETS.request_files(settled, bulk=True, due_at=timezone.now())
