"""What is to be done with the tickets of old, ticket by ticket: found out without writing anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.core.db.chunks import in_chunks
from apps.events.models import EventTicket, TicketCode

from .legacy_files import Finding, LocalFile, examine


class Action(StrEnum):
    """What a plan wants done with a ticket."""

    MOVE = "move"
    RENEW = "renew"
    ACCEPT_CODE = "accept_code"
    DELETE_LOCAL = "delete_local"
    BRING_HOME = "bring_home"


class Outcome(StrEnum):
    """What became of a ticket. The values appear in reports and never change."""

    MOVED = "moved"
    RENEWED = "renewed"
    BROUGHT_HOME = "brought_home"
    CODE_ACCEPTED = "code_accepted"
    LEFT_ALONE = "left_alone"
    LOCAL_DELETED = "local_deleted"
    LOCAL_GONE = "local_gone"
    LOCAL_KEPT = "local_kept"
    OVERTAKEN = "overtaken"
    FAILED = "failed"

    @property
    def is_done(self) -> bool:
        return self is not Outcome.FAILED


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tickets a run is about, and what may happen to them.

    `event`: of this event alone. `limit`: that many at most. `force`: also those that are on Cloudinary, which are
    made anew. `delete_local`: local files go once their successors are verified, also those left by earlier runs.

    Tickets that were moved before are selected, too, while a local picture is there whose text was never accepted.
    """

    event: int | None = None
    limit: int | None = None
    force: bool = False
    delete_local: bool = False

    def tickets(self) -> QuerySet[EventTicket]:
        found = self._all().prefetch_related("codes")
        if self.force:
            return found
        codes = TicketCode.objects.filter(ticket=OuterRef("pk"))
        # At rest: only this module makes their files. The others are legacy tickets of a run that was interrupted.
        at_rest: Q = Q(state=EventTicket.State.PENDING, next_attempt_at=None)
        wanted = Q(published_at=None) & (at_rest | ~Q(qr_code="") | Q(Exists(codes)))
        unread = ~Q(Exists(codes.filter(source=TicketCode.Source.PICTURE)))
        wanted |= Q(published_at__isnull=False, code_generation=0) & ~Q(qr_code_local="") & unread
        if self.delete_local:
            wanted |= ~Q(qr_code_local="", pdf_ticket_local="")
        return found.filter(wanted)

    def _all(self) -> QuerySet[EventTicket]:
        return EventTicket.objects.all() if self.event is None else EventTicket.objects.filter(event=self.event)

    def count(self) -> int:
        found = self.tickets().count()
        return found if self.limit is None else min(found, self.limit)

    def passed_over(self) -> int:
        """How many tickets are left alone, as their files are on Cloudinary."""
        return self._all().exclude(published_at=None).exclude(pk__in=self.tickets().values("pk")).count()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with one ticket, and why."""

    ticket: EventTicket
    action: Action
    local: LocalFile

    @property
    def warning(self) -> str:
        if self.action is Action.DELETE_LOCAL:
            return self.local.why_kept(self.ticket)
        if self.action is Action.ACCEPT_CODE and self.local.finding is not Finding.SHARED_CODE:
            return ""  # the run that moved it told
        return self.local.warning(self.ticket)

    @property
    def intention(self) -> str:
        """What would be done, in words."""
        if self.action is Action.DELETE_LOCAL:
            return "would have their local files deleted"
        if self.action is Action.ACCEPT_CODE:
            printed = self.local.finding is Finding.PRINTED_CODE
            return "would have their printed code accepted" if printed else Outcome.LEFT_ALONE.value
        if self.action is Action.RENEW or not self.local.finding.keeps_code:
            return "would be made anew"
        return "would be moved; what was printed stays valid"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one plan. `error` is why it failed, or empty; the log has it already if it `is_logged`.

    `is_local`: storage has the files, and only the local ones could not be deleted.
    """

    plan: Plan
    outcome: Outcome
    error: str = ""
    stops_run: bool = False
    is_logged: bool = False
    is_local: bool = False


def plan(selection: Selection) -> Iterator[Plan]:
    """What a run would do, ticket by ticket, in constant memory. Reads local files, and writes nothing at all."""
    return (plan_one(ticket, selection) for ticket in in_chunks(selection.tickets(), selection.limit))


def plan_one(ticket: EventTicket, selection: Selection) -> Plan:
    """As `plan`, for one ticket that the selection found."""
    if ticket.published_at is None:
        return Plan(ticket, Action.MOVE, examine(ticket))
    if selection.force:
        return Plan(ticket, Action.RENEW, examine(ticket))
    return Plan(ticket, Action.DELETE_LOCAL if selection.delete_local else Action.ACCEPT_CODE, examine(ticket))
