"""What happens to a ticket: issue, re-render, re-issue, delete. Each writes down what is wished of its files, and never
waits for it.

The row is its own outbox: a wish is a committed row in state `pending`, which `publishing/` fulfils.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from apps.core.db.rows import Row, update_each
from apps.core.jobs import dispatch
from apps.core.jobs.timing import ISSUED_LISTS_KEPT, first_sweep
from apps.publishing.deletions import owe_deletion_of_files, owe_deletion_of_published_files
from apps.storage import fields, gateway

from . import codes, signals
from .models import Event, EventTicket, IssuedList, TicketType

if TYPE_CHECKING:
    from apps.accounts.models import User

MAX_GENERATION = 255  # one byte of the code
BATCH = 500
BREATH = 0.1  # seconds; whoever waits for SQLite's lock asks for it that often, and gets it in between

_going: ContextVar[frozenset[int]] = ContextVar("tickets that go together", default=frozenset())


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
        dispatch.publish_soon([ticket.pk for ticket in tickets], bulk=in_bulk)
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


def rerender(ticket: EventTicket) -> None:
    """Have both files made anew, with the same code. The old files stay in place until the new ones are there."""
    _wish_for([ticket.pk])
    ticket.refresh_from_db()


def follow_change(ticket: EventTicket) -> None:
    """As `rerender`, for a ticket that is being saved: nothing else that its object holds unsaved is lost."""
    _wish_for([ticket.pk])
    ticket.refresh_from_db(fields=[*_wanted(), "in_bulk"])


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
    """Re-issue the tickets, whose rows were locked before they were read: no worker can claim one from here on, so that
    the leases that they show are the last ones before their files have a new place. Return them as they are then.
    """
    if not rows:
        return []
    owe_deletion_of_published_files(rows)
    now_empty: dict[str, Any] = {}
    for kind in gateway.KINDS:
        now_empty |= {f"{kind.name}_cloudinary_id": "", f"{kind.name}_version": None, f"{kind.name}_etag": ""}
    update_each(
        EventTicket,
        [Row(row.pk, {}, {"public_id_suffix": gateway.new_suffix(), **_local_names(row)}) for row in rows],
        code_generation=F("code_generation") + 1,
        **now_empty,
        **_wanted(),
        in_bulk=bulk,
    )
    codes.void_codes(rows)
    dispatch.publish_soon([row.pk for row in rows], bulk=bulk)
    reissued = EventTicket.objects.filter(pk__in=[row.pk for row in rows]).select_related("event").order_by("pk")
    signals.ticket_reissued.send(EventTicket, tickets=(found := list(reissued)))
    return found


def _local_names(ticket: EventTicket) -> dict[str, str]:
    """Return what the file fields say once nothing is published: the name of a local file that was never moved."""
    names = {kind.name: getattr(ticket, kind.name).name or "" for kind in gateway.KINDS}
    return {field: "" if fields.as_published(name) else name for field, name in names.items()}


def rerender_many(tickets: models.QuerySet[EventTicket]) -> int:
    """As `rerender`, for any number of tickets, behind single ones. Answers how many."""
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(pks), BATCH):
        _wish_for(pks[start : start + BATCH], bulk=True)
    return len(pks)


def delete_many(tickets: models.QuerySet[EventTicket]) -> int:
    """Delete any number of tickets, some hundreds a transaction: whoever else writes waits for a moment only.

    Each transaction owes the removal of its tickets' files, and tells of all of them at once. Should this end half-way,
    the other tickets are untouched, and it can be called again. Answers how many. Not for callers with a transaction.
    """
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    deleted = 0
    for start in range(0, len(pks), BATCH):
        if start:
            time.sleep(BREATH)
        deleted += _delete_together(pks[start : start + BATCH])
    return deleted


def follow_deletion(tickets: Sequence[EventTicket]) -> None:
    """Owe the removal of their files and tell of it, in the transaction in which they go."""
    owe_deletion_of_files(tickets)
    signals.ticket_deleted.send(EventTicket, tickets=tickets)


def is_deleted_with_others(ticket: EventTicket) -> bool:
    """Whether somebody sees to all that follows from the ticket's deletion, for many tickets at once."""
    return ticket.pk in _going.get()


def _delete_together(pks: Sequence[int]) -> int:
    with transaction.atomic():
        # Locked before anything is read of them: no worker can claim one from here on, so the leases are the last ones.
        rows = list(EventTicket.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk"))
        found = frozenset(row.pk for row in rows)
        before = _going.set(found)
        try:
            EventTicket.objects.filter(pk__in=found).delete()
        finally:
            _going.reset(before)
        follow_deletion(rows)
    return len(rows)


def _wish_for(pks: Sequence[int], *, bulk: bool = False) -> None:
    """Note in the rows that new files are wanted, and send the work. A worker that is at it notices when it is done."""
    with transaction.atomic():
        there = EventTicket.objects.filter(pk__in=pks).locked()
        EventTicket.objects.filter(pk__in=there).update(**_wanted(), in_bulk=bulk)
        dispatch.publish_soon(pks, bulk=bulk)


def owe_files(found: Collection[EventTicket]) -> set[int]:
    """Note in the rows that new files are wanted, for a caller who makes them itself: no work is sent.

    Answers the keys of the tickets where it is noted. The others are gone, or were re-issued since they were read. One
    that was re-issued before places changed with that gets a place of its own.
    """
    generations = {ticket.pk: ticket.code_generation for ticket in found}
    with transaction.atomic():
        there = EventTicket.objects.filter(pk__in=EventTicket.objects.filter(pk__in=generations).locked())
        rows = [
            Row(
                ticket.pk,
                {},
                {"public_id_suffix": gateway.new_suffix() if ticket.is_at_old_place else ticket.public_id_suffix},
            )
            for ticket in there.only("code_generation", "public_id_suffix")
            if ticket.code_generation == generations[ticket.pk]
        ]
        return update_each(EventTicket, rows, **_wanted(), in_bulk=True)


def _wanted() -> dict[str, Any]:
    return {
        "state": EventTicket.State.PENDING,
        "revision": F("revision") + 1,
        "wished_at": timezone.now(),
        "attempts": 0,
        "next_attempt_at": first_sweep(),
        "reason": "",
    }


# -- Files on the local storage ----------------------------------------------------------------------------------


def record_home(ticket: EventTicket, names: Mapping[str, str]) -> bool:
    """Note that the ticket's files lie at these local names, by the kind of file, and rest there: no sweep looks.

    What is on Cloudinary stays recorded, so that it goes with the ticket. False, with nothing noted, when the files
    are no longer those that the ticket was read with.
    """
    row = EventTicket.objects.filter(pk=ticket.pk, revision=ticket.revision, state=EventTicket.State.READY)
    return bool(
        row.update(
            **names,
            **{f"{kind}_local": "" for kind in names},
            state=EventTicket.State.PENDING,
            revision=F("revision") + 1,
            next_attempt_at=None,
            published_generation=None,
            published_at=None,
        )
    )


def forget_local_file(ticket: EventTicket, kind: str, name: str) -> None:
    """Note that a local file of old is gone."""
    EventTicket.objects.filter(pk=ticket.pk, **{f"{kind}_local": name}).update(**{f"{kind}_local": ""})
