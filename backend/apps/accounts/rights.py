"""Permissions of accounts: editors grant only what they have, and change no account that has more."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

from .models import Membership, User


def permissions_of(user: User) -> QuerySet[Permission]:
    """Return what the account may do once it is active: Django answers nothing for one that is not."""
    if user.is_superuser:
        return Permission.objects.all()
    return Permission.objects.filter(Q(user=user) | Q(group__user=user)).distinct()


def groups_within(user: User) -> QuerySet[Group]:
    """Return the groups that give nothing which the user does not have."""
    beyond = Permission.objects.exclude(pk__in=permissions_of(user).values("pk"))
    return Group.objects.exclude(permissions__in=beyond)


def may_look_after(editor: User, account: User) -> bool:
    """Return whether the editor has every right of the account.

    With a new password or another address an account is taken over, and its rights with it.
    """
    if editor.is_superuser:
        return True
    if account.is_superuser or (account.is_staff and not editor.is_staff):
        return False
    if permissions_of(account).exclude(pk__in=permissions_of(editor).values("pk")).exists():
        return False
    manages = editor.memberships.filter(role=Membership.Role.MANAGER).values("organiser")
    beyond = account.memberships.exclude(organiser__in=manages)
    own = set(editor.memberships.values_list("organiser", "role"))
    return set(beyond.values_list("organiser", "role")) <= own
