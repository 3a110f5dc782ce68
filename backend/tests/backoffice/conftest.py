"""Fixtures: a manager with a team and an event, signed in to the back office."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import Organiser, User
from apps.events.models import Event
from tests.factories import make_event, make_organiser, make_user


@pytest.fixture
def jonas() -> User:
    return make_user("jonas@example.org", name="Jonas", is_staff=True)


@pytest.fixture
def team(jonas: User) -> Organiser:
    return make_organiser(manager=jonas)


@pytest.fixture
def event(team: Organiser) -> Event:
    return make_event(organiser=team)


@pytest.fixture
def back_office(jonas: User, team: Organiser) -> Client:
    client = Client()
    client.force_login(jonas)
    return client
