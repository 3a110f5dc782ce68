"""Issuing tickets to a list of holders: the list is shown first, and issued once it is confirmed."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.events.models import Event, EventTicket
from tests.factories import make_event, make_ticket_type

from .forms import url

pytestmark = pytest.mark.django_db


LIST = "Amélie Laurent, amelie@example.org, 2\nليلى حداد\n王小明, xiaoming@example.org"


def check_list(back_office: Client, event: Event, **data: Any) -> Any:
    return back_office.post(url("events_event_issue", event.pk), data)


def key_in(page: str) -> str:
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_a_list_is_shown_first_and_issued_when_confirmed(back_office: Client, event: Event) -> None:
    standing = make_ticket_type(event)
    page = check_list(back_office, event, holders=LIST, ticket_type=standing.pk).content.decode()
    assert "3 tickets, for 4 people." in page
    assert not EventTicket.objects.exists()

    sent = {"holders": LIST, "ticket_type": standing.pk, "order_reference": "A1", "key": key_in(page), "issue": "1"}
    assert check_list(back_office, event, **sent).status_code == 302

    issued = EventTicket.objects.values_list(
        "holder_name", "holder_email", "quantity", "ticket_type", "order_reference"
    )
    assert list(issued) == [
        ("Amélie Laurent", "amelie@example.org", 2, standing.pk, "A1"),
        ("ليلى حداد", "", 1, standing.pk, "A1"),
        ("王小明", "xiaoming@example.org", 1, standing.pk, "A1"),
    ]


def test_submitting_twice_issues_once(back_office: Client, event: Event) -> None:
    page = check_list(back_office, event, holders=LIST).content.decode()
    sent = {"holders": LIST, "key": key_in(page), "issue": "1"}
    check_list(back_office, event, **sent)
    again = check_list(back_office, event, **sent)

    assert EventTicket.objects.count() == 3
    assert "issued already" in back_office.get(again["Location"]).content.decode()


def test_one_invalid_line_prevents_issuing_the_list(back_office: Client, event: Event) -> None:
    bad = f"{LIST}\nBen, ben@nowhere, many"
    page = check_list(back_office, event, holders=bad, issue="1", key="guess").content.decode()

    assert "1 of 4 lines has problems" in page
    assert "“ben@nowhere” is not an e-mail address." in page
    assert "The quantity “many” is not a whole number" in page
    assert not EventTicket.objects.exists()


def test_a_list_without_problems_has_no_column_for_them(back_office: Client, event: Event) -> None:
    assert "<th>Problems" not in check_list(back_office, event, holders=LIST).content.decode()
    assert "<th>Problems" in check_list(back_office, event, holders=f"{LIST}\nBen, ben@nowhere").content.decode()


def test_a_file_with_headings_in_any_order_is_read(back_office: Client, event: Event) -> None:
    content = "\ufeffE-mail;Tickets;Name\nana@example.org;1;Ana\n".encode()
    page = check_list(back_office, event, file=SimpleUploadedFile("guests.csv", content)).content.decode()

    assert "1 ticket, for 1 person." in page
    assert "ana@example.org" in page


UNKNOWN = "Spitzname;Vorname;Name;E-Mail;Sitz\nAnnie;Ann;Lee;ann@example.org;A1"


def column_fields(page: str) -> list[str]:
    return [unescape(name) for name in re.findall(r'<select name="(column_\d+_\w+)"', page)]


def test_nothing_is_issued_while_a_column_is_unassigned(back_office: Client, event: Event) -> None:
    page = check_list(back_office, event, holders=UNKNOWN).content.decode()
    assert "what these columns contain" in page
    assert 'name="key"' not in page
    nickname, given, family, email, seat = column_fields(page)

    key = key_in(check_list(back_office, event, holders=LIST).content.decode())
    half = {nickname: "ignored", given: "given", family: "family", email: "email"}
    page = check_list(back_office, event, holders=UNKNOWN, key=key, issue="1", **half).content.decode()
    assert "what these columns contain" in page
    assert not EventTicket.objects.exists()

    page = check_list(back_office, event, holders=UNKNOWN, **half, **{seat: "ignored"}).content.decode()
    assert "Ignored: <bdi>“Spitzname”</bdi>, <bdi>“Sitz”</bdi>" in page
    kept = dict(re.findall(r'name="(column_\w+)" value="(\w+)"', page))
    check_list(back_office, event, holders=UNKNOWN, key=key_in(page), issue="1", **kept)
    assert [(ticket.holder_name, ticket.holder_email) for ticket in EventTicket.objects.all()] == [
        ("Ann Lee", "ann@example.org")
    ]


def test_one_checkbox_ignores_all_other_columns(back_office: Client, event: Event) -> None:
    page = check_list(back_office, event, holders=UNKNOWN, ignore_rest="1").content.decode()
    assert "Ann Lee" in page
    kept = dict(re.findall(r'name="(column_\w+)" value="(\w+)"', page))
    check_list(back_office, event, holders=UNKNOWN, key=key_in(page), issue="1", **kept)
    assert EventTicket.objects.get().holder_name == "Ann Lee"


def test_assignments_are_kept_when_the_list_is_changed(back_office: Client, event: Event) -> None:
    page = check_list(back_office, event, holders=UNKNOWN, ignore_rest="1").content.decode()
    kept = dict(re.findall(r'name="(column_\w+)" value="(\w+)"', page))
    page = check_list(back_office, event, holders=UNKNOWN, change="1", **kept).content.decode()
    assert page.count('value="ignored" selected') == 2
    assert "what these columns contain" not in page


def test_a_file_that_is_not_unicode_is_issued_once_its_letters_are_confirmed(back_office: Client, event: Event) -> None:
    upload = SimpleUploadedFile("guests.csv", "Amélie Laurent".encode("cp1252"))
    page = check_list(back_office, event, file=upload).content.decode()
    assert "CSV UTF-8" in page
    assert 'name="letters_are_right" value="1" required' in page

    fields = {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)}
    sent = {**fields, "holders": "Amélie Laurent", "key": key_in(page), "issue": "1"}
    assert "letters_are_right" in check_list(back_office, event, **sent).content.decode()
    assert not EventTicket.objects.exists()
    check_list(back_office, event, **sent, letters_are_right="1")
    assert EventTicket.objects.get().holder_name == "Amélie Laurent"


def test_a_utf_16_file_without_a_byte_order_mark_is_read(back_office: Client, event: Event) -> None:
    content = "Ana, ana@example.org, 2\nBen".encode("utf-16-le")
    page = check_list(back_office, event, file=SimpleUploadedFile("guests.csv", content)).text
    assert "2 tickets, for 3 people." in page


def test_a_list_with_nul_characters_is_not_issued(back_office: Client, event: Event) -> None:
    page = check_list(back_office, event, file=SimpleUploadedFile("guests.csv", b"Ana\0, ana@example.org, 2")).text
    assert "This line contains a NUL character. Save the list as “CSV UTF-8”" in page
    assert 'name="key"' not in page


def test_a_ticket_type_of_another_event_is_refused(back_office: Client, event: Event) -> None:
    foreign = make_ticket_type(make_event())
    page = check_list(back_office, event, holders=LIST, ticket_type=foreign.pk).content.decode()

    assert "Select a valid choice" in page


def test_a_single_ticket_is_issued_with_the_form(back_office: Client, event: Event) -> None:
    answer = back_office.post(url("events_eventticket_add"), {"event": event.pk, "holder_name": "Ana", "quantity": 1})

    assert answer.status_code == 302
    assert EventTicket.objects.get().state == EventTicket.State.PENDING
