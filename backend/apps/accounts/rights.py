"""Prevent privilege escalation: editors grant only permissions that they have, and edit no account that has more."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

from .models import Membership, User


def permissions_of(user: User) -> QuerySet[Permission]:
    """Return the permissions of the account, even if it is inactive: Django's own methods return none then."""
    if user.is_superuser:
        return Permission.objects.all()
    return Permission.objects.filter(Q(user=user) | Q(group__user=user)).distinct()


def grantable_groups(user: User) -> QuerySet[Group]:
    """Return the groups whose permissions the user all has."""
    missing = Permission.objects.exclude(pk__in=permissions_of(user).values("pk"))
    return Group.objects.exclude(permissions__in=missing)


def may_edit_account(editor: User, account: User) -> bool:
    """Return whether the editor has every permission and role of the account.

    An editor can take over an account by changing its password or e-mail address, and would gain what it has.
    """
    if editor.is_superuser:
        return True
    if account.is_superuser or (account.is_staff and not editor.is_staff):
        return False
    if permissions_of(account).exclude(pk__in=permissions_of(editor).values("pk")).exists():
        return False
    manages = editor.memberships.filter(role=Membership.Role.MANAGER).values("organiser")
    others = account.memberships.exclude(organiser__in=manages)
    own = set(editor.memberships.values_list("organiser", "role"))
    return set(others.values_list("organiser", "role")) <= own
