"""The permissions on tickets, for the API, the pages and the admin.

    holder         the account that the ticket was issued to, or that has confirmed the address it was issued to
    manager        a manager of the team that organises the event
    door staff     a member of that team who only checks tickets
    Django staff   `is_staff`, with the permission `events.view_eventticket` or `events.change_eventticket`

For all other users, the ticket does not exist.
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
    """How much of a ticket a user may see. Each level includes those below it."""

    NOTHING = 0
    # The holder's name and whether it was used; neither the e-mail address nor a code. Tickets from before signing are
    # an exception: this level shows their id, which is their code until they are re-issued.
    DOOR = 1
    HOLDER = 2  # the code, both files, the e-mail address
    ORGANISER = 3  # why making the files failed


class TicketAccess:
    """The permissions of one user on one ticket. They are evaluated lazily, with at most one query each."""

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
        """Whether the user may request new files with the same code."""
        return self.is_holder or self.may_reissue

    @property
    def may_reissue(self) -> bool:
        """Whether the user may give the ticket a new code. Holders may not: they could invalidate one they sold."""
        return self.role == Membership.Role.MANAGER or may_change_all(self._user)


def role_in_team(user: User, event: Event) -> str | None:
    """Return the user's role in the event's team, one of `Membership.Role`, or None."""
    return user.memberships.filter(organiser_id=event.organiser_id).values_list("role", flat=True).first()


def may_view_all(user: User) -> bool:
    """Return whether Django's permissions let the user see every organiser's tickets."""
    return _is_staff(user) and (user.has_perm(VIEW) or user.has_perm(CHANGE))


def may_change_all(user: User) -> bool:
    """Return whether Django's permissions let the user change every organiser's tickets."""
    return _is_staff(user) and user.has_perm(CHANGE)


def _is_staff(user: User) -> bool:
    """Return whether Django's permissions can apply at all. Checked first to save the query for most users."""
    return user.is_staff or user.is_superuser


def may_list_tickets(user: User, event: Event) -> bool:
    """Return whether the user may see all tickets of the event."""
    return role_in_team(user, event) == Membership.Role.MANAGER or may_view_all(user)


def may_check(user: User, event: Event) -> bool:
    """Return whether the user may check codes of the event's tickets."""
    return role_in_team(user, event) is not None or may_view_all(user)


def may_admit(user: User, event: Event) -> bool:
    """Return whether the user may admit people with the event's tickets, which marks them as used."""
    return role_in_team(user, event) is not None or may_change_all(user)


def checks_tickets(user: User) -> bool:
    """Return whether the user may check tickets of at least one event."""
    return user.memberships.exists() or may_view_all(user)
