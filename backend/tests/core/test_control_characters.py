"""Control characters are refused in every text input, with a message that names the character and its place."""

from __future__ import annotations

import unicodedata

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.test import Client

from apps.accounts.models import Organiser, User
from apps.core.validators import CheckedText, refuse_control_characters
from apps.events import issuing
from apps.events.issuing import Holder
from apps.events.models import Event, EventTicket, TicketType
from apps.imports.attendee_lists import read_attendee_list
from tests.backoffice.forms import form_of, url
from tests.factories import make_event, make_organiser, make_ticket, make_ticket_type, make_user

# Characters that people and keyboards put into names: joiners, direction marks, isolates, soft hyphens, emoji.
KEPT = "Zoë\u00a0شَمْس\u200d\u200c\u200e\u200f\u2066\u2069\u00ad👩\u200d🚀\ufe0f é e\u0301 \ue000 𝓛 𓀀"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ann\x02 Lee", "U+0002, after “Ann”."),
        ("\x1bAnn", "U+001B, at the beginning."),
        ("Ann\tLee", "U+0009 (a tab), after “Ann”."),
        ("Ann\nLee", "U+000A (a line break), after “Ann”."),
        ("a" * 50 + "\u202enaI", f"U+202E (right-to-left override), after “{'a' * 20}”."),
    ],
)
def test_message_names_the_character_and_its_place(text: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        refuse_control_characters(text)
    assert f"There is a character that can’t be printed, {said}" in caught.value.messages[0]


def test_every_control_character_is_refused_and_no_other() -> None:
    refused = [chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) in ("Cc", "Cs")]
    refused += [*map(chr, range(0xFDD0, 0xFDF0)), "\uffff", "\U0001fffe", "\U0010ffff", "\u202d", "\u202e"]
    for char in refused:
        with pytest.raises(ValidationError):
            refuse_control_characters(f"a{char}b")
    refuse_control_characters(KEPT)


def test_multiline_texts_may_contain_tabs_and_line_breaks_only() -> None:
    refuse_control_characters("one\r\ntwo\tthree", lines=True)
    with pytest.raises(ValidationError, match=r"U\+000B"):
        refuse_control_characters("one\x0btwo", lines=True)


def test_every_model_with_editable_text_is_checked() -> None:
    """Add a new model with editable text to the expected set, or to `kept_by_program` if no person edits it."""
    entered = {
        model
        for model in apps.get_models()
        if model.__module__.startswith(("apps.accounts", "apps.events"))
        and any(
            isinstance(field, models.CharField | models.TextField) and field.editable and not field.choices
            for field in model._meta.concrete_fields
        )
    }
    kept_by_program = {
        "IssuedList", "StoredFileDeletion", "Examination", "UsageSample", "TicketCode", "MailedCode",
        "GoogleWalletClass",
    }  # fmt: skip
    assert {model for model in entered if model.__name__ not in kept_by_program} == {
        User, Organiser, Event, TicketType, EventTicket
    }  # fmt: skip
    assert all(issubclass(model, CheckedText) for model in (User, Organiser, Event, TicketType, EventTicket))


@pytest.mark.django_db
def test_models_refuse_control_characters_in_every_field_and_allow_lines_in_multiline_fields() -> None:
    event = make_event(address="Mill Street 1\nBerlin", terms="One.\nTwo.\tThree.", description="A\r\nB")
    rows: list[models.Model] = [event, make_ticket_type(event), make_ticket(event=event), event.organiser, make_user()]
    for row in rows:
        row.full_clean(exclude=["password"])
        for field in row._meta.concrete_fields:
            if not isinstance(field, models.CharField | models.TextField) or not field.editable or field.choices:
                continue
            if field.name in ("accent", "language", "time_zone", "currency", "password") or "email" in field.name:
                continue  # these have validators of their own
            before = getattr(row, field.name)
            setattr(row, field.name, "a\x02b")
            with pytest.raises(ValidationError) as caught:
                row.full_clean(exclude=["password"])
            assert "U+0002" in caught.value.message_dict[field.name][0]
            setattr(row, field.name, before)


@pytest.mark.django_db
def test_issuing_a_list_with_a_control_character_issues_nothing() -> None:
    with pytest.raises(ValidationError, match=r"U\+0002, after “Ann”"):
        issuing.issue_many(make_event(), [Holder("Ben"), Holder("Ann\x02 Lee")])
    assert not EventTicket.objects.exists()


def test_each_line_of_an_import_reports_its_own_problem() -> None:
    first, second, third = read_attendee_list("Ann\x02 Lee, ann@example.org\nBen\x7f\nCy")
    assert "U+0002, after “Ann”" in first.problems[0]
    assert "U+007F, after “Ben”" in second.problems[0]
    assert third.problems == []


def test_lines_and_tabs_inside_a_cell_are_spaces() -> None:
    (line,) = read_attendee_list('"Ann\r\n\tLee", ann@example.org')
    assert (line.name, line.problems) == ("Ann Lee", [])


@pytest.fixture
def back_office() -> tuple[Client, Event]:
    user = make_user("jonas@example.org", is_staff=True)
    client = Client()
    client.force_login(user)
    return client, make_event(organiser=make_organiser(manager=user))


@pytest.mark.django_db
def test_event_form_shows_the_message_at_each_field(back_office: tuple[Client, Event]) -> None:
    client, event = back_office
    fields = ["title", "venue", "address", "terms", "description"]
    answer = client.post(
        url("events_event_change", event.pk), form_of(event, **dict.fromkeys(fields, "Night\x02 Shift"))
    )
    errors = answer.context["adminform"].form.errors
    for field in fields:
        assert "U+0002, after “Night”" in str(errors[field])


@pytest.mark.django_db
def test_ticket_form_shows_the_message_at_each_field(back_office: tuple[Client, Event]) -> None:
    client, event = back_office
    values = {"event": event.pk, "holder_name": "A\x1f1", "order_reference": "A\x1f1", "quantity": 1}
    errors = client.post(url("events_eventticket_add"), values).context["adminform"].form.errors
    for field in ("holder_name", "order_reference"):
        assert "U+001F, after “A”" in str(errors[field])
    listed = client.post(url("events_event_issue", event.pk), {"holders": "Ann", "order_reference": "A\x1f1"})
    assert "U+001F, after “A”" in listed.content.decode()
