"""Members of a team in the back office."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import Membership, Organiser
from tests.factories import make_user

from .forms import url

pytestmark = pytest.mark.django_db


def team_form(team: Organiser, email: str, role: str = "door") -> dict[str, Any]:
    membership = team.memberships.get()
    return {
        "name": team.name,
        "memberships-TOTAL_FORMS": 2,
        "memberships-INITIAL_FORMS": 1,
        "memberships-MIN_NUM_FORMS": 0,
        "memberships-0-id": membership.pk,
        "memberships-0-organiser": team.pk,
        "memberships-0-role": membership.role,
        "memberships-1-organiser": team.pk,
        "memberships-1-email": email,
        "memberships-1-role": role,
    }


def test_a_member_is_added_by_address(back_office: Client, team: Organiser) -> None:
    sofia = make_user("sofia@example.org")
    back_office.post(url("accounts_organiser_change", team.pk), team_form(team, "Sofia@example.org"))

    assert team.memberships.get(user=sofia).role == Membership.Role.DOOR


@pytest.mark.parametrize(
    ("email", "words"), [("nobody@example.org", "There is no account"), ("jonas@example.org", "already in the team")]
)
def test_an_address_that_cannot_be_a_new_member_is_refused(
    back_office: Client, team: Organiser, email: str, words: str
) -> None:
    answer = back_office.post(url("accounts_organiser_change", team.pk), team_form(team, email))

    assert words in answer.content.decode()
    assert team.memberships.count() == 1


def test_the_back_office_has_the_icon_of_the_site(back_office: Client) -> None:
    assert 'href="/static/site/icon.svg"' in back_office.get("/admin/").content.decode()
