"""Issue, re-issue and delete tickets.

Each function sends a signal in its transaction. `apps/publishing/` receives it and makes or deletes the files later.
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
TICKETS_PER_TRANSACTION = 500
# How long a checked list can be issued, and how long the keys of issued lists are kept to prevent issuing them twice.
CHECKED_LIST_LIFETIME = timedelta(days=6)
ISSUED_LIST_RETENTION = timedelta(days=7)
LOCK_PAUSE_SECONDS = 0.1  # between transactions; SQLite's busy handler polls for the lock that often


class TicketError(ValueError):
    """The ticket does not allow the operation. The message tells the user why and what to do instead."""


class IssuedAlreadyError(TicketError):
    """The list was issued before, by the same form."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The person who gets a ticket. `user` is their account, if it is known."""

    name: str = ""
    email: str = ""
    quantity: int = 1
    user: User | None = None


def issue_many(
    event: Event, holders: Iterable[Holder], ticket_type: TicketType | None = None, order_reference: str = ""
) -> list[EventTicket]:
    """Issue one ticket for each holder, all or none. Return the tickets.

    Several tickets at once are published in bulk, after single ones. Raises ValidationError, with no ticket issued, if
    any holder is invalid.
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
        # Validate the event and the type once, not for each ticket: it takes queries.
        exclude = ("event", "ticket_type") if number else ()
        ticket.full_clean(exclude=exclude, validate_unique=False, validate_constraints=False)
    with transaction.atomic():
        EventTicket.objects.bulk_create(tickets, batch_size=TICKETS_PER_TRANSACTION)
        signals.ticket_issued.send(EventTicket, tickets=tickets, bulk=in_bulk)
    return tickets


def issue_once(
    key: str, event: Event, holders: Iterable[Holder], ticket_type: TicketType | None = None, order_reference: str = ""
) -> list[EventTicket]:
    """Issue tickets as `issue_many` does, but only once for each idempotency key of up to 32 characters.

    The key's row is written in the transaction of the tickets. Of concurrent requests with the same key, the database
    lets one through, and the others wait for its outcome. If issuing fails, the key can be used again.

    Raises IssuedAlreadyError if the key was used before, and ValidationError as `issue_many` does.
    """
    with transaction.atomic():
        _, is_first = IssuedList.objects.get_or_create(key=key, defaults={"event": event})
        if not is_first:
            raise IssuedAlreadyError("This list was issued already. Check it again if you mean to issue it twice.")
        return issue_many(event, holders, ticket_type, order_reference)


def forget_issued_lists(now: datetime | None = None) -> int:
    """Delete the keys of lists whose forms have expired. Return the number of deleted keys."""
    old = IssuedList.objects.filter(issued_at__lt=(now or timezone.now()) - ISSUED_LIST_RETENTION)
    deleted, _ = old.delete()
    return deleted


def reissue(ticket: EventTicket) -> None:
    """Give the ticket a new code, and new files with new public ids.

    Earlier copies are refused from now on. Links to the earlier files stop working when storage has deleted them.
    Raises TicketError if the ticket was used, re-issued 255 times, or changed by someone else at the same time.
    """
    if why := _why_not_reissued(ticket):
        raise TicketError(why)
    with transaction.atomic():
        same = EventTicket.objects.filter(pk=ticket.pk, code_generation=ticket.code_generation, used_at=None)
        if not (rows := list(same.select_for_update(no_key=True))):
            raise TicketError("Someone else re-issued or used this ticket at the same moment. Look at it again.")
        _reissue_together(rows, bulk=False)
    ticket.refresh_from_db()


def reissue_many(
    tickets: models.QuerySet[EventTicket],
) -> tuple[list[EventTicket], list[tuple[EventTicket, TicketError]]]:
    """Re-issue any number of tickets, in transactions of TICKETS_PER_TRANSACTION; their files are made in bulk.

    Return the re-issued tickets, with their events, and the refused ones, each with the reason.
    """
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    done: list[EventTicket] = []
    refused: list[tuple[EventTicket, TicketError]] = []
    for start in range(0, len(pks), TICKETS_PER_TRANSACTION):
        with transaction.atomic():
            found = EventTicket.objects.filter(pk__in=pks[start : start + TICKETS_PER_TRANSACTION])
            found = found.select_related("event")
            rows = list(found.select_for_update(no_key=True, of=("self",)).order_by("pk"))
            reasons = {row.pk: why for row in rows if (why := _why_not_reissued(row))}
            refused += [(row, TicketError(reasons[row.pk])) for row in rows if row.pk in reasons]
            done += _reissue_together([row for row in rows if row.pk not in reasons], bulk=True)
    return done, refused


def _why_not_reissued(ticket: EventTicket) -> str:
    """Return the reason why the ticket cannot be re-issued, or an empty string."""
    if ticket.is_used:
        return "This ticket was used already. Issue a new ticket instead of a new code."
    if ticket.code_generation >= MAX_GENERATION:
        return "This ticket was re-issued 255 times, which is all a code can count. Issue a new ticket."
    return ""


def _reissue_together(rows: Sequence[EventTicket], *, bulk: bool) -> list[EventTicket]:
    """Re-issue tickets whose rows the caller has locked and read, and return them as they are afterwards.

    The lock keeps workers from claiming them, so the leases of `rows` are the last ones with the old public ids.
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
    """Delete any number of tickets, and return how many. Do not call it in a transaction.

    It uses transactions of TICKETS_PER_TRANSACTION, so that other writers wait only briefly. Each of them enqueues the
    deletion of its tickets' files and sends one signal. If it is interrupted, call it again to delete the rest.
    """
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    deleted = 0
    for start in range(0, len(pks), TICKETS_PER_TRANSACTION):
        if start:
            time.sleep(LOCK_PAUSE_SECONDS)
        deleted += _delete_together(pks[start : start + TICKETS_PER_TRANSACTION])
    return deleted


def _delete_together(pks: Sequence[int]) -> int:
    with transaction.atomic():
        # Lock before reading: no worker can claim a locked ticket, so the leases that are read here are the last ones.
        rows = list(EventTicket.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk"))
        found = EventTicket.objects.filter(pk__in=[row.pk for row in rows])
        found.is_bulk_deletion = True
        found.delete()
        signals.ticket_deleted.send(EventTicket, tickets=rows)
    return len(rows)
