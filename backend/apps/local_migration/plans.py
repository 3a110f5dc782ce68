"""Plan a migration, ticket by ticket, without writing anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.core.db.chunks import in_chunks
from apps.events.models import EventTicket, TicketCode

from .legacy_files import FileStatus, LocalFile, inspect


class Action(StrEnum):
    """What to do with a ticket."""

    IMPORT = "import"
    RERENDER = "rerender"
    ACCEPT_CODE = "accept_code"
    DELETE_LOCAL = "delete_local"
    EXPORT = "export"


class Outcome(StrEnum):
    """How the migration of a ticket ended. The values appear in reports and never change."""

    IMPORTED = "moved"
    RERENDERED = "renewed"
    EXPORTED = "brought_home"
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
    """The tickets of a run, and what may be done to them.

    `event`: only tickets of this event. `limit`: at most so many tickets. `force`: also re-render tickets whose files
    are on Cloudinary. `delete_local`: delete local files, also those of earlier runs, once their replacements are
    verified.

    A ticket that an earlier run imported is selected again while a local picture's code was never accepted.
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
        # Unscheduled: no worker publishes these. The other legacy tickets are those of an interrupted run.
        unscheduled: Q = Q(state=EventTicket.State.PENDING, next_attempt_at=None)
        wanted = Q(published_at=None) & (unscheduled | ~Q(qr_code="") | Q(Exists(codes)))
        not_accepted = ~Q(Exists(codes.filter(source=TicketCode.Source.PICTURE)))
        wanted |= Q(published_at__isnull=False, code_generation=0) & ~Q(qr_code_local="") & not_accepted
        if self.delete_local:
            wanted |= ~Q(qr_code_local="", pdf_ticket_local="")
        return found.filter(wanted)

    def _all(self) -> QuerySet[EventTicket]:
        return EventTicket.objects.all() if self.event is None else EventTicket.objects.filter(event=self.event)

    def count(self) -> int:
        found = self.tickets().count()
        return found if self.limit is None else min(found, self.limit)

    def count_left_alone(self) -> int:
        """Count the tickets that need nothing, because their files are on Cloudinary."""
        return self._all().exclude(published_at=None).exclude(pk__in=self.tickets().values("pk")).count()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with one ticket, and the local file that decided it."""

    ticket: EventTicket
    action: Action
    local: LocalFile

    @property
    def warning(self) -> str:
        if self.action is Action.DELETE_LOCAL:
            return self.local.why_kept(self.ticket)
        if self.action is Action.ACCEPT_CODE and self.local.status is not FileStatus.SHARED_CODE:
            return ""  # the run that imported the ticket reported it
        return self.local.warning(self.ticket)

    @property
    def intention(self) -> str:
        """Return what a dry run says of the ticket."""
        if self.action is Action.DELETE_LOCAL:
            return "would have their local files deleted"
        if self.action is Action.ACCEPT_CODE:
            printed = self.local.status is FileStatus.PRINTED_CODE
            return "would have their printed code accepted" if printed else Outcome.LEFT_ALONE.value
        if self.action is Action.RERENDER or not self.local.status.keeps_code:
            return "would be re-rendered"
        return "would be moved; printed codes stay valid"


@dataclass(frozen=True, slots=True)
class TicketResult:
    """The result for one ticket. `error` says why it failed, else it is empty.

    `stops_run`: the tickets that are left would fail likewise. `is_logged`: the log has the error already. `is_local`:
    the files are on Cloudinary, only the local ones could not be deleted.
    """

    plan: Plan
    outcome: Outcome
    error: str = ""
    stops_run: bool = False
    is_logged: bool = False
    is_local: bool = False


def plan(selection: Selection) -> Iterator[Plan]:
    """Yield the plan of every selected ticket, in constant memory. Read local files, write nothing."""
    return (plan_one(ticket, selection) for ticket in in_chunks(selection.tickets(), selection.limit))


def plan_one(ticket: EventTicket, selection: Selection) -> Plan:
    """Return the plan of one ticket of the selection."""
    if ticket.published_at is None:
        action = Action.IMPORT
    elif selection.force:
        action = Action.RERENDER
    else:
        action = Action.DELETE_LOCAL if selection.delete_local else Action.ACCEPT_CODE
    return Plan(ticket, action, inspect(ticket))
