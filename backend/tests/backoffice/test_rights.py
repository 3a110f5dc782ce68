"""Editors of accounts, groups and teams can't grant or gain permissions that they don't have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group, Permission
from django.test import Client

from apps.accounts.models import Membership, Organiser, User
from tests.factories import PASSWORD, make_organiser, make_user

from .forms import url

pytestmark = pytest.mark.django_db
EDITOR_PERMISSIONS = (
    "view_user", "change_user", "add_user", "delete_user", "view_group", "add_group", "change_group", "delete_group",
    "view_organiser", "change_organiser", "add_emailaddress", "change_emailaddress", "delete_emailaddress",
    "add_membership", "change_membership", "view_eventticket",
)  # fmt: skip


@dataclass
class Editor:
    user: User
    client: Client

    def save(self, account: User, **changes: Any) -> User:
        """Submit the form of an account with these changes, which may include fields that the form does not show."""
        fields: dict[str, Any] = {
            "email": account.email,
            "name": account.name,
            "is_active": "on",
            "user_permissions": list(account.user_permissions.values_list("pk", flat=True)),
            "groups": list(account.groups.values_list("pk", flat=True)),
            "emailaddress_set-TOTAL_FORMS": 0,
            "emailaddress_set-INITIAL_FORMS": 0,
            **({"is_staff": "on"} if account.is_staff else {}),
        }
        self.client.post(url("accounts_user_change", account.pk), fields | changes)
        return User.objects.get(pk=account.pk)


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


@pytest.fixture
def editor() -> Editor:
    user = make_user("editor@example.org", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=EDITOR_PERMISSIONS))
    client = Client()
    client.force_login(user)
    return Editor(user, client)


def test_editors_cannot_make_themselves_superusers(editor: Editor) -> None:
    saved = editor.save(editor.user, name="Changed", is_superuser="on", is_demo="on")
    assert (saved.name, saved.is_superuser, saved.is_demo) == ("Changed", False, False)


def test_editors_grant_only_permissions_that_they_have(editor: Editor) -> None:
    otto = make_user(is_staff=True)
    own, beyond = permission("view_eventticket"), permission("change_eventticket")
    assert not editor.save(otto, user_permissions=[own.pk, beyond.pk]).user_permissions.exists()
    assert set(editor.save(otto, user_permissions=[own.pk]).user_permissions.all()) == {own}


def test_editors_grant_only_groups_whose_permissions_they_have(editor: Editor) -> None:
    otto = make_user(is_staff=True)
    helpers, bosses = Group.objects.create(name="Helpers"), Group.objects.create(name="Bosses")
    helpers.permissions.add(permission("view_eventticket"))
    bosses.permissions.add(permission("view_eventticket"), permission("change_eventticket"))
    assert not editor.save(otto, groups=[bosses.pk]).groups.exists()
    assert set(editor.save(otto, groups=[helpers.pk]).groups.all()) == {helpers}

    page = url("auth_group_change", bosses.pk)
    editor.client.post(page, {"name": "Bosses", "permissions": []})
    assert bosses.permissions.count() == 2
    given = {"name": "Helpers", "permissions": [permission("change_eventticket").pk]}
    editor.client.post(url("auth_group_change", helpers.pk), given)
    editor.client.post(url("auth_group_add"), given | {"name": "New"})
    assert not Group.objects.filter(name__in=["Helpers", "New"], permissions__codename="change_eventticket").exists()
    editor.client.post(url("auth_group_delete", bosses.pk), {"post": "yes"})
    assert Group.objects.filter(pk=bosses.pk).exists()


def superuser() -> User:
    return User.objects.create_superuser("root@example.org", PASSWORD)


def inactive_superuser() -> User:
    return User.objects.create_superuser("root@example.org", PASSWORD, is_active=False)


def with_more_permissions() -> User:
    user = make_user(is_staff=True, is_active=False)  # the form could activate it
    user.user_permissions.add(permission("change_eventticket"))
    return user


def in_a_group_with_more_permissions() -> User:
    user = make_user(is_staff=True)
    group = Group.objects.create(name="Bosses")
    group.permissions.add(permission("change_eventticket"))
    user.groups.add(group)
    return user


def manager_of_a_team() -> User:
    user = make_user()
    make_organiser(manager=user)
    return user


@pytest.mark.parametrize(
    "make_account",
    [superuser, inactive_superuser, with_more_permissions, in_a_group_with_more_permissions, manager_of_a_team],
)
def test_editors_cannot_edit_accounts_with_more_permissions(editor: Editor, make_account: Any) -> None:
    account = make_account()
    before = User.objects.filter(pk=account.pk).values().get()
    editor.save(account, email="taken@example.org", name="Taken")
    password = {"usable_password": "true", "password1": "a new passphrase", "password2": "a new passphrase"}
    editor.client.post(url("auth_user_password_change", account.pk), password)
    editor.client.post(url("accounts_user_delete", account.pk), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [account.pk], "post": "yes"}
    editor.client.post(url("accounts_user_changelist"), chosen)
    assert User.objects.filter(pk=account.pk).values().get() == before


def test_editors_can_edit_accounts_without_more_permissions(editor: Editor) -> None:
    otto = make_user(name="Otto")
    assert editor.save(otto, name="Otto Maier").name == "Otto Maier"
    password = {"usable_password": "true", "password1": "a new passphrase", "password2": "a new passphrase"}
    editor.client.post(url("auth_user_password_change", otto.pk), password)
    assert User.objects.get(pk=otto.pk).check_password("a new passphrase")
    editor.client.post(url("accounts_user_delete", otto.pk), {"post": "yes"})
    assert not User.objects.filter(pk=otto.pk).exists()


def test_editors_cannot_confirm_addresses(editor: Editor) -> None:
    address = EmailAddress.objects.get(user=editor.user)
    rows = {
        "emailaddress_set-TOTAL_FORMS": 2,
        "emailaddress_set-INITIAL_FORMS": 1,
        "emailaddress_set-0-id": address.pk,
        "emailaddress_set-0-user": editor.user.pk,
        "emailaddress_set-0-email": "victim@example.org",
        "emailaddress_set-0-verified": "on",
        "emailaddress_set-1-user": editor.user.pk,
        "emailaddress_set-1-email": "another@example.org",
        "emailaddress_set-1-verified": "on",
    }
    editor.save(editor.user, **rows)
    assert list(EmailAddress.objects.filter(user=editor.user).values_list("email", flat=True)) == [editor.user.email]


def team_form(team: Organiser, email: str) -> dict[str, Any]:
    return {
        "name": "Renamed",
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 0,
        "memberships-0-organiser": team.pk,
        "memberships-0-email": email,
        "memberships-0-role": "manager",
    }


@pytest.mark.parametrize(("permissions", "expected"), [((), 0), (("change_event", "change_eventticket"), 1)])
def test_editors_appoint_managers_only_with_a_managers_permissions(
    editor: Editor, permissions: tuple[str, ...], expected: int
) -> None:
    editor.user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    team = make_organiser()
    editor.client.post(url("accounts_organiser_change", team.pk), team_form(team, editor.user.email))
    team.refresh_from_db()
    assert team.name == "Renamed"
    assert Membership.objects.filter(organiser=team).count() == expected


def test_superusers_grant_every_permission() -> None:
    root, otto = superuser(), make_user(is_staff=True)
    client = Client()
    client.force_login(root)
    saved = Editor(root, client).save(otto, is_superuser="on", user_permissions=[permission("change_eventticket").pk])
    assert saved.is_superuser
    assert saved.user_permissions.count() == 1
