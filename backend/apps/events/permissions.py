"""Who may see and do what with tickets. The one place that says so, for the API, the pages and the admin alike.

    holder         the account that the ticket was issued to, or who has confirmed the address that it was issued to
    manager        a manager of the team whose event it is
    door staff     a member of that team who only checks tickets
    Django staff   `is_staff`, with the permission `events.view_eventticket` or `events.change_eventticket`

Everybody else does not learn that the ticket exists.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

from apps.accounts.models import Membership

from .models import Event, EventTicket

if TYPE_CHECKING:
    from apps.accounts.models import User

VIEW = "events.view_eventticket"
CHANGE = "events.change_eventticket"


class AccessLevel(IntEnum):
    """How much of a ticket somebody is shown; each step shows all that the one before it does."""

    NOTHING = 0
    # Who it is for and whether it was used; no e-mail address, and nothing to get in with, but for tickets from before
    # signing: their id, which it shows, is their code until they are re-issued.
    DOOR = 1
    HOLDER = 2  # the code, both files, the e-mail address
    ORGANISER = 3  # why making the files failed


class TicketAccess:
    """What one person may do with one ticket. Each question costs at most one query, asked when it matters."""

    def __init__(self, user: User, ticket: EventTicket) -> None:
        self._user = user
        self._ticket = ticket

    @cached_property
    def is_holder(self) -> bool:
        if self._ticket.holder_id is not None:
            return self._ticket.holder_id == self._user.pk
        return EventTicket.objects.filter(pk=self._ticket.pk).held_by(self._user).exists()

    @cached_property
    def role(self) -> str | None:
        return role_in_team(self._user, self._ticket.event)

    @cached_property
    def level(self) -> AccessLevel:
        if self.role == Membership.Role.MANAGER or may_view_all(self._user):
            return AccessLevel.ORGANISER
        if self.is_holder:
            return AccessLevel.HOLDER
        return AccessLevel.DOOR if self.role == Membership.Role.DOOR else AccessLevel.NOTHING

    @property
    def may_rerender(self) -> bool:
        """Have the files made anew, with the same code."""
        return self.is_holder or self.may_reissue

    @property
    def may_reissue(self) -> bool:
        """Give the ticket a new code. Not for holders: it would let them take back a ticket that they sold."""
        return self.role == Membership.Role.MANAGER or may_change_all(self._user)


def role_in_team(user: User, event: Event) -> str | None:
    """The user's role in the team whose event it is, one of `Membership.Role`, or None."""
    return user.memberships.filter(organiser_id=event.organiser_id).values_list("role", flat=True).first()


def may_view_all(user: User) -> bool:
    """Whether Django's permissions let the user look at every organiser's tickets."""
    return _is_staff(user) and (user.has_perm(VIEW) or user.has_perm(CHANGE))


def may_change_all(user: User) -> bool:
    """Whether Django's permissions let the user change every organiser's tickets."""
    return _is_staff(user) and user.has_perm(CHANGE)


def _is_staff(user: User) -> bool:
    """Asked first, because the answer is at hand: most people are not, and their permissions need no query then."""
    return user.is_staff or user.is_superuser


def may_list_tickets(user: User, event: Event) -> bool:
    return role_in_team(user, event) == Membership.Role.MANAGER or may_view_all(user)


def may_check(user: User, event: Event) -> bool:
    """Learn what codes for the event's tickets are worth."""
    return role_in_team(user, event) is not None or may_view_all(user)


def may_admit(user: User, event: Event) -> bool:
    """Let people in with the event's tickets, which uses them up."""
    return role_in_team(user, event) is not None or may_change_all(user)


def checks_tickets(user: User) -> bool:
    """Whether the user may check tickets of any event at all."""
    return user.memberships.exists() or may_view_all(user)
