"""What happens to a ticket: issue, re-issue, delete. Each tells of it by a signal, within its transaction, and waits
for nothing: the files follow (`apps/publishing/`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.utils import timezone

from . import codes, signals, ticket_columns
from .models import Event, EventTicket, IssuedList, TicketType

if TYPE_CHECKING:
    from apps.accounts.models import User

MAX_GENERATION = 255  # one byte of the code
BATCH = 500
# How long a list that was checked may be issued, and how long it is remembered after that that it was.
CHECKED_LISTS_GOOD = timedelta(days=6)
ISSUED_LISTS_KEPT = timedelta(days=7)
LOCK_PAUSE_SECONDS = 0.1  # seconds; whoever waits for SQLite's lock asks for it that often, and gets it in between


class TicketError(ValueError):
    """What was asked of a ticket can't be done; the text says why and what to do instead."""


class IssuedAlreadyError(TicketError):
    """The same form was sent before, and its list is issued."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a ticket is for. `user` is the account, when there is one."""

    name: str = ""
    email: str = ""
    quantity: int = 1
    user: User | None = None


def issue_many(
    event: Event, holders: Iterable[Holder], ticket_type: TicketType | None = None, order_reference: str = ""
) -> list[EventTicket]:
    """Issue one ticket a holder, all or none, and have their files made in the background, behind single tickets.

    Raises ValidationError, with nothing issued, when one of them can't be.
    """
    holders = list(holders)
    in_bulk = len(holders) > 1
    tickets = [
        EventTicket(
            event=event,
            ticket_type=ticket_type,
            holder=holder.user,
            holder_name=holder.name.strip(),
            holder_email=holder.email,
            quantity=holder.quantity,
            order_reference=order_reference,
            in_bulk=in_bulk,
        )
        for holder in holders
    ]
    for number, ticket in enumerate(tickets):
        # whether the event and the type exist is asked for all of them once
        known = ("event", "ticket_type") if number else ()
        ticket.full_clean(exclude=known, validate_unique=False, validate_constraints=False)
    with transaction.atomic():
        EventTicket.objects.bulk_create(tickets, batch_size=BATCH)
        signals.ticket_issued.send(EventTicket, tickets=tickets, bulk=in_bulk)
    return tickets


def issue_once(
    key: str, event: Event, holders: Iterable[Holder], ticket_type: TicketType | None = None, order_reference: str = ""
) -> list[EventTicket]:
    """As `issue_many`, but for each key once, however many requests bring it, and at whatever moment.

    The key's row is written in the transaction of the tickets: of requests that arrive together the database lets one
    through and has the others wait for its outcome. A list that could not be issued leaves its key free.

    `key` is up to 32 characters. Raises IssuedAlreadyError, and what `issue_many` raises.
    """
    with transaction.atomic():
        _, is_first = IssuedList.objects.get_or_create(key=key, defaults={"event": event})
        if not is_first:
            raise IssuedAlreadyError("This list was issued already. Check it again if you mean to issue it twice.")
        return issue_many(event, holders, ticket_type, order_reference)


def forget_issued_lists(now: datetime | None = None) -> int:
    """Delete the keys of lists that were issued so long ago that no form could send them again. Answers how many."""
    old = IssuedList.objects.filter(issued_at__lt=(now or timezone.now()) - ISSUED_LISTS_KEPT)
    deleted, _ = old.delete()
    return deleted


def reissue(ticket: EventTicket) -> None:
    """Give the ticket a new code, and new files at a new place; every earlier copy of it is refused from now on, and
    every link to its earlier files is dead as soon as storage has deleted them.

    Raises TicketError for a ticket that is used, or that was re-issued 255 times.
    """
    if why := _why_not_reissued(ticket):
        raise TicketError(why)
    with transaction.atomic():
        same = EventTicket.objects.filter(pk=ticket.pk, code_generation=ticket.code_generation, used_at=None)
        if not (rows := list(same.select_for_update(no_key=True))):
            raise TicketError("Somebody else re-issued or used this ticket at this moment. Look at it again.")
        _reissue_together(rows, bulk=False)
    ticket.refresh_from_db()


def reissue_many(
    tickets: models.QuerySet[EventTicket],
) -> tuple[list[EventTicket], list[tuple[EventTicket, TicketError]]]:
    """As `reissue`, for any number of tickets, some hundreds a transaction, their files behind those of single ones.

    Return the tickets that were re-issued, with their events, and those that were not, each with the reason.
    """
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    done: list[EventTicket] = []
    refused: list[tuple[EventTicket, TicketError]] = []
    for start in range(0, len(pks), BATCH):
        with transaction.atomic():
            found = EventTicket.objects.filter(pk__in=pks[start : start + BATCH]).select_related("event")
            rows = list(found.select_for_update(no_key=True, of=("self",)).order_by("pk"))
            reasons = {row.pk: why for row in rows if (why := _why_not_reissued(row))}
            refused += [(row, TicketError(reasons[row.pk])) for row in rows if row.pk in reasons]
            done += _reissue_together([row for row in rows if row.pk not in reasons], bulk=True)
    return done, refused


def _why_not_reissued(ticket: EventTicket) -> str:
    """Return what keeps the ticket from being re-issued, empty for nothing."""
    if ticket.is_used:
        return "This ticket was used already. Issue a new ticket instead of a new code."
    if ticket.code_generation >= MAX_GENERATION:
        return "This ticket was re-issued 255 times, which is all a code can count. Issue a new ticket."
    return ""


def _reissue_together(rows: Sequence[EventTicket], *, bulk: bool) -> list[EventTicket]:
    """Re-issue tickets whose rows were locked before they were read, so that no worker can claim one from here on and
    the leases that they show are the last ones before their files have a new place. Return them as they are then.
    """
    if not rows:
        return []
    pks = [row.pk for row in rows]
    ticket_columns.raise_generation(pks)
    codes.void_codes(rows)
    reissued = EventTicket.objects.filter(pk__in=pks).select_related("event").order_by("pk")
    signals.ticket_reissued.send(EventTicket, tickets=list(reissued), before=rows, bulk=bulk)
    return list(reissued.all())


def delete_many(tickets: models.QuerySet[EventTicket]) -> int:
    """Delete any number of tickets, some hundreds a transaction: whoever else writes waits for a moment only.

    Each transaction owes the removal of its tickets' files, and tells of all of them at once. Should this end half-way,
    the other tickets are untouched, and it can be called again. Answers how many. Not for callers with a transaction.
    """
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    deleted = 0
    for start in range(0, len(pks), BATCH):
        if start:
            time.sleep(LOCK_PAUSE_SECONDS)
        deleted += _delete_together(pks[start : start + BATCH])
    return deleted


def _delete_together(pks: Sequence[int]) -> int:
    with transaction.atomic():
        # Locked before anything is read of them: no worker can claim one from here on, so the leases are the last ones.
        rows = list(EventTicket.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk"))
        found = EventTicket.objects.filter(pk__in=[row.pk for row in rows])
        found.is_bulk_deletion = True
        found.delete()
        signals.ticket_deleted.send(EventTicket, tickets=rows)
    return len(rows)
