"""A list of holders is issued once, however often its form is submitted (idempotency keys)."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.events import issuing, tasks
from apps.events.issuing import (
    CHECKED_LIST_LIFETIME,
    ISSUED_LIST_RETENTION,
    Holder,
    IssuedAlreadyError,
    forget_issued_lists,
    issue_many,
    issue_once,
)
from apps.events.models import Event, EventTicket, IssuedList
from tests.factories import make_event, make_organiser, make_user
from tests.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

PRESSES = 6
GUESTS = "Amélie Laurent, amelie@example.org\n王小明"


@pytest.fixture
def event() -> Event:
    return make_event(organiser=make_organiser(manager=make_user("jonas@example.org", is_staff=True)))


@pytest.fixture
def back_office(event: Event) -> Client:
    client = Client()
    client.force_login(event.organiser.memberships.get().user)
    return client


def checked(back_office: Client, event: Event) -> dict[str, str]:
    """Check the list of guests, and return the form that issues it."""
    page = back_office.post(reverse("admin:events_event_issue", args=[event.pk]), {"holders": GUESTS}).content.decode()
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found, page
    return {"holders": GUESTS, "key": found[1], "issue": "1"}


def press_at_once(back_office: Client, event: Event) -> list[str]:
    form, session = checked(back_office, event), back_office.cookies["sessionid"].value

    def press() -> str:
        browser = Client()
        browser.cookies["sessionid"] = session
        return browser.post(reverse("admin:events_event_issue", args=[event.pk]), form, follow=True).content.decode()

    return at_once([press] * PRESSES)


def test_six_concurrent_submissions_issue_once(back_office: Client, event: Event) -> None:
    pages = press_at_once(back_office, event)

    assert EventTicket.objects.count() == 2
    assert sum("2 tickets were issued" in page for page in pages) == 1
    assert sum("issued already" in page for page in pages) == PRESSES - 1


def test_negative_control_key_without_a_unique_row_issues_every_time(
    back_office: Client, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is read first and written later lets every submission through."""
    used: set[str] = set()
    all_have_read = threading.Barrier(PRESSES)

    def read_then_write(key: str, *about: Any) -> list[EventTicket]:
        known = key in used
        all_have_read.wait(10)
        used.add(key)
        if known:
            raise IssuedAlreadyError
        return issue_many(*about)

    monkeypatch.setattr(issuing, "issue_once", read_then_write)
    press_at_once(back_office, event)

    assert EventTicket.objects.count() == 2 * PRESSES


def test_key_of_a_failed_list_can_be_used_again(event: Event) -> None:
    with pytest.raises(Exception, match="valid email"):
        issuing.issue_once("one key", event, [Holder(email="no address")])

    assert len(issuing.issue_once("one key", event, [Holder(email="ana@example.org")])) == 1


def test_lists_checked_in_two_tabs_are_both_issued(back_office: Client, event: Event) -> None:
    for form in (checked(back_office, event), checked(back_office, event)):
        back_office.post(reverse("admin:events_event_issue", args=[event.pk]), form)

    assert EventTicket.objects.count() == 4


@pytest.mark.parametrize("key", ["", "guess", "guess:signature"])
def test_list_without_a_valid_key_is_not_issued(back_office: Client, event: Event, key: str) -> None:
    address = reverse("admin:events_event_issue", args=[event.pk])
    page = back_office.post(address, {"holders": GUESTS, "key": key, "issue": "1"}, follow=True).content.decode()

    assert "was not checked on this page" in page
    assert not EventTicket.objects.exists()


def test_key_is_valid_for_its_own_event_only(back_office: Client, event: Event) -> None:
    other = make_event(organiser=event.organiser)
    back_office.post(reverse("admin:events_event_issue", args=[other.pk]), checked(back_office, event))

    assert not EventTicket.objects.exists()


# -- Retention of keys -----------------------------------------------------------------------------------------------


def test_key_is_deleted_after_a_week(event: Event) -> None:
    issue_once("old", event, [Holder("Ana")])
    issue_once("new", event, [Holder("Ben")])
    IssuedList.objects.filter(key="old").update(issued_at=timezone.now() - timedelta(days=7, minutes=1))
    IssuedList.objects.filter(key="new").update(issued_at=timezone.now() - timedelta(days=6, hours=23))
    forget_issued_lists()

    assert list(IssuedList.objects.values_list("key", flat=True)) == ["new"]
    assert EventTicket.objects.count() == 2


def test_deletion_of_keys_is_scheduled(settings: Settings) -> None:
    scheduled = [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]
    assert tasks.forget_issued_lists.name in scheduled


def test_form_expires_before_its_key_is_deleted(
    back_office: Client, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = checked(back_office, event)
    address = reverse("admin:events_event_issue", args=[event.pk])
    for age, issued in ((ISSUED_LIST_RETENTION, 0), (CHECKED_LIST_LIFETIME - timedelta(minutes=5), 2)):
        later = SimpleNamespace(time=lambda age=age: time.time() + age.total_seconds())
        with monkeypatch.context() as patch:
            patch.setattr(signing, "time", later)
            back_office.post(address, form)
        assert EventTicket.objects.count() == issued
    assert CHECKED_LIST_LIFETIME < ISSUED_LIST_RETENTION
