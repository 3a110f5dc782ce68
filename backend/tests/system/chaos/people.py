"""Simulate people who delete, re-issue, re-render and rename tickets, and edit their event."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from apps.events import issuing
from apps.events.models import Event, EventTicket
from apps.publishing import requests


class People:
    """The people. `counts` has the numbers of their actions; `deleted` and `reissued` have the ids of tickets."""

    def __init__(self, event: Event, chance: random.Random, some: int) -> None:
        self._event = event
        self._chance = chance
        self._some = some
        self.counts: Counter[str] = Counter()
        self.deleted: set[UUID] = set()
        self.reissued: Counter[UUID] = Counter()

    def change_minds(self) -> None:
        """Delete, re-issue, re-render and rename some tickets."""
        for deed in (self._delete, self._delete_at_once, self._reissue, self._rerender, self._rename):
            deed(self._tickets())

    def edit_event(self) -> None:
        """Edit the event in one of three ways: a save, an UPDATE without signals, or two saves at once."""
        edit = self._chance.choice((self._save, self._update, self._twice))
        edit()
        self.counts["edits"] += 1

    def _tickets(self) -> list[EventTicket]:
        pks = list(self._event.tickets.order_by("pk").values_list("pk", flat=True))
        return list(EventTicket.objects.filter(pk__in=self._chance.sample(pks, min(len(pks), self._some))))

    def _delete(self, some: list[EventTicket]) -> None:
        for ticket in some[: len(some) // 2]:
            if ticket.delete()[0]:
                self.deleted.add(ticket.ticket_id)

    def _delete_at_once(self, some: list[EventTicket]) -> None:
        gone = some[: len(some) // 2]
        EventTicket.objects.filter(pk__in=[ticket.pk for ticket in gone]).delete()
        self.deleted |= {ticket.ticket_id for ticket in gone}

    def _reissue(self, some: list[EventTicket]) -> None:
        def reissue(ticket: EventTicket) -> None:
            issuing.reissue(ticket)
            self.reissued[ticket.ticket_id] += 1

        self._each(some, "reissued", reissue)

    def _rerender(self, some: list[EventTicket]) -> None:
        self._each(some, "re-rendered", requests.rerender)

    def _rename(self, some: list[EventTicket]) -> None:
        def rename(ticket: EventTicket) -> None:
            ticket.holder_name += ", renamed"
            ticket.save(update_fields=["holder_name"])

        self._each(some, "renamed", rename)

    def _each(self, some: list[EventTicket], deed: str, do: Callable[[EventTicket], None]) -> None:
        for ticket in some:
            with contextlib.suppress(issuing.TicketError, EventTicket.DoesNotExist):
                do(ticket)
                self.counts[deed] += 1

    def _save(self) -> None:
        event = Event.objects.get(pk=self._event.pk)
        event.venue = f"Hall {self.counts['edits'] + 1}"
        event.save()

    def _update(self) -> None:
        Event.objects.filter(pk=self._event.pk).update(title=f"Concert, edition {self.counts['edits'] + 1}")

    def _twice(self) -> None:
        for minutes in (15, 30):
            event = Event.objects.get(pk=self._event.pk)
            event.starts_at += timedelta(minutes=minutes)
            event.save()
