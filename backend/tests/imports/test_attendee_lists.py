"""Attendee lists as organisers have them: lines, headings in many languages, exports of ticket shops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from apps.events.issuing import Holder
from apps.imports import list_headings
from apps.imports.attendee_lists import MAX_LINES, read_attendee_list
from apps.imports.list_headings import Meaning, interpret_headings
from ticketkit import labels_for, languages

HEADINGS = Path(list_headings.__file__).with_suffix(".json")


@pytest.mark.parametrize(
    ("text", "holder"),
    [
        ("Ana", Holder("Ana")),
        ("Ana, ana@example.org", Holder("Ana", "ana@example.org")),
        ("Ana, ana@example.org, 00002", Holder("Ana", "ana@example.org", 2)),
        ("Ana;ana@example.org;3", Holder("Ana", "ana@example.org", 3)),
        ("Ana\tana@example.org\t3", Holder("Ana", "ana@example.org", 3)),
        (", ana@example.org", Holder("", "ana@example.org")),
        ('"Weber, Jonas", jonas@example.org', Holder("Weber, Jonas", "jonas@example.org")),
        ("Weber, Jonas; jonas@example.org; 2", Holder("Weber, Jonas", "jonas@example.org", 2)),
        ("ليلى حدّاد, layla@example.org, 2", Holder("ليلى حدّاد", "layla@example.org", 2)),
        ("  王小明 ,, 2 ", Holder("王小明", "", 2)),
        ("name,email\r\nAna,ana@example.org\r\n", Holder("Ana", "ana@example.org")),
        ("Seat;E-Mail;Tickets;Full name\nA1;ana@example.org;4;Ana", Holder("Ana", "ana@example.org", 4)),
        ("\n\nAna\n\n", Holder("Ana")),
        ("ana@example.org", Holder("", "ana@example.org")),
        ("Ana Lee <ana@example.org>", Holder("Ana Lee", "ana@example.org")),
        ("<ana@example.org>", Holder("", "ana@example.org")),
        ("Ana @ Lee", Holder("Ana @ Lee")),
        ("Name,Email,Qty\nAna,ana@example.org,2", Holder("Ana", "ana@example.org", 2)),
        ("Last name, First name, Email\nLee, Ana, ana@example.org", Holder("Ana Lee", "ana@example.org")),
        ("Vorname;Nachname;E-Mail;Menge\nAna;Lee;ana@example.org;3", Holder("Ana Lee", "ana@example.org", 3)),
    ],
)
def test_a_line_is_parsed(text: str, holder: Holder) -> None:
    (line,) = read_attendee_list(text)

    assert line.problems == []
    assert line.to_holder() == holder


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (",,2", "A name or an e-mail address is needed."),
        ("Ana, ana", "“ana” is not an e-mail address."),
        ("Ana, ana@example.org, 0", "The quantity “0” is not a whole number from 1 to 500."),
        ("Ana, ana@example.org, -1", "The quantity “-1” is not a whole number from 1 to 500."),
        ("Ana, ana@example.org, ٣", "The quantity “٣” is not a whole number from 1 to 500."),
        (f"Ana, ana@example.org, {'9' * 5000}", f"The quantity “{'9' * 20}…” is not a whole number from 1 to 500."),
        (f"Ana, ana@example.org, {'0' * 5000}2", f"The quantity “{'0' * 20}…” is not a whole number from 1 to 500."),
        ("Ana, ana@example.org, 1, 2", "There are more than three values. Put quotation marks around a name"),
        ("A\0na, ana@example.org", "This line contains a NUL character. Save the list as “CSV UTF-8” and upload it"),
        ("Ana, ana@example.org, 1\0", "This line contains a NUL character."),
        ("A" * 201, "The name is longer than 200 characters."),
    ],
)
def test_an_invalid_line_has_a_problem(text: str, problem: str) -> None:
    (line,) = read_attendee_list(text)

    assert line.problems[0].startswith(problem)


def test_every_line_has_its_number_and_all_its_problems() -> None:
    lines = read_attendee_list("name,email,quantity\nAna,ana@example.org,2\n\nBen,ben,x\n")

    assert [(line.number, len(line.problems)) for line in lines] == [(2, 0), (4, 2)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "There is no holder in this list."),
        ("name,email\n", "There is no holder in this list."),
        ('"Ana, ana@example.org', "Look for a quotation mark that is not closed."),
        ("Ana\n" * (MAX_LINES + 1), f"Issue at most {MAX_LINES} tickets at once."),
    ],
)
def test_text_that_is_no_list_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_attendee_list(text)
    assert reason in caught.value.messages[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Name;Vorname;E-Mail\nLee;Ann;ann@example.org", "Ann Lee"),
        ("Nom;Prénom;Courriel\nLee;Ann;ann@example.org", "Ann Lee"),
        ("NOM;PRENOM;COURRIEL\nLee;Ann;ann@example.org", "Ann Lee"),
        ("Nombre;Apellidos;Correo electrónico\nAnn;Lee;ann@example.org", "Ann Lee"),
        ("Imię;Nazwisko;Email\nAnn;Lee;ann@example.org", "Ann Lee"),
        ("Имя;Фамилия;Электронная почта\nAnn;Lee;ann@example.org", "Ann Lee"),
        ("Voornaam;Tussenvoegsel;Achternaam;E-mailadres\nJan;van der;Berg;ann@example.org", "Jan van der Berg"),
        ("Vezetéknév;Keresztnév;E-mail cím\nNagy;Anna;ann@example.org", "Nagy Anna"),
        ("Tên;Họ;Tên đệm;Email\nAn;Nguyễn;Văn;ann@example.org", "Nguyễn Văn An"),
        ("名;姓;メールアドレス\n太郎;山田;ann@example.org", "山田太郎"),
        ("姓;名;メールアドレス\nLee;Ann;ann@example.org", "Lee Ann"),
        ("성;이름;이메일\n김;민수;ann@example.org", "김민수"),
        ("First name,Last name,Email\n小明,王,ann@example.org", "王小明"),
        ("Name,First name,Email\nAnn Lee,Ann,ann@example.org", "Ann Lee"),
        ("Full name,First name,Last name,Email\nDr. Ann Lee,Ann,Lee,ann@example.org", "Dr. Ann Lee"),
        # Google Contacts, Outlook, Eventbrite, Mailchimp, pretix, Tito, WooCommerce
        ("First Name,Middle Name,Last Name,E-mail 1 - Value\nAnn,Mei,Lee,ann@example.org", "Ann Mei Lee"),
        ("Name,Given Name,Additional Name,Family Name,E-mail 1 - Value\nAnn Lee,Ann,,Lee,ann@example.org", "Ann Lee"),
        ("First Name,Middle Name,Last Name,E-mail Address\nAnn,,Lee,ann@example.org", "Ann Lee"),
        ("Attendee first name,Attendee last name,Attendee email\nAnn,Lee,ann@example.org", "Ann Lee"),
        ("Email Address,First Name,Last Name\nann@example.org,Ann,Lee", "Ann Lee"),
        (
            "Attendee name;Attendee name: Given name;Attendee name: Family name;Attendee email\n"
            "Ann Lee;Ann;Lee;ann@example.org",
            "Ann Lee",
        ),
        (
            "Ticket Full Name,Ticket First Name,Ticket Last Name,Ticket Email\nAnn Lee,Ann,Lee,ann@example.org",
            "Ann Lee",
        ),
        ("billing_first_name,billing_last_name,billing_email\nAnn,Lee,ann@example.org", "Ann Lee"),
    ],
)
def test_the_full_name_has_the_order_of_its_language(text: str, name: str) -> None:
    attendees = read_attendee_list(text)

    assert [line.to_holder() for line in attendees] == [Holder(name, "ann@example.org")]
    assert attendees.unassigned == []


@pytest.mark.parametrize("language", languages())
def test_headings_are_known_in_every_language_of_the_labels(language: str) -> None:
    columns = {
        key: words for key, words in json.loads(HEADINGS.read_text("utf-8"))[language].items() if key in set(Meaning)
    }
    together = [(meaning, word) for meaning, words in columns.items() for word in words]
    found = interpret_headings([word for _, word in together])
    assert found is not None
    assert list(found.meanings) == [meaning for meaning, _ in together]
    labelled = interpret_headings([labels_for(language)["holder"], labels_for(language)["quantity"], "E-Mail"])
    assert labelled is not None
    assert labelled.meanings == (Meaning.NAME, Meaning.QUANTITY, Meaning.EMAIL)


def test_an_ambiguous_heading_has_the_language_of_the_others() -> None:
    (french,) = read_attendee_list("Nom;Prénom;Courriel;Nombre\nLee;Ann;ann@example.org;3")
    (spanish,) = read_attendee_list("Nombre;Apellidos;Correo\nAnn;Lee;ann@example.org")

    assert french.to_holder() == Holder("Ann Lee", "ann@example.org", 3)
    assert spanish.to_holder() == Holder("Ann Lee", "ann@example.org")


def unassigned(text: str) -> list[str]:
    return [column.heading for column in read_attendee_list(text).unassigned]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("Seat;E-Mail;Diet\nA1;ana@example.org;none", ["Seat", "Diet"]),
        ("E-Mail;Email address\nana@example.org;ben@example.org", ["Email address"]),  # which of them?
        ("Name;;E-Mail\nAna;Lee;ana@example.org", [""]),  # a column without a heading
        ("Name;E-Mail\nAna;ana@example.org;2", [""]),  # more values than headings
        ("Name;E-Mail;\nAna;ana@example.org;", []),
        ("Ana, ana@example.org, 2", []),
        ("nom@example.org\nana@example.org", []),
    ],
)
def test_unknown_and_duplicate_columns_are_unassigned(text: str, headings: list[str]) -> None:
    assert unassigned(text) == headings


def test_assignments_give_columns_a_meaning() -> None:
    text = "Spitzname;Kontakt;E-Mail;Diet\nAna;ana@example.org;old@example.org;none"
    nickname, contact, email, diet = (column.field for column in read_attendee_list(text).columns)
    assignments = {nickname: "name", contact: "email", email: "ignored", diet: "ignored"}
    attendees = read_attendee_list(text, assignments)

    assert [line.to_holder() for line in attendees] == [Holder("Ana", "ana@example.org")]
    assert attendees.unassigned == []
    assert [column.heading for column in read_attendee_list(text, {nickname: "nonsense"}).unassigned] == [
        "Spitzname",
        "Kontakt",
        "Diet",
    ]
    assert read_attendee_list(text, {contact: "email"}).unassigned[1].is_duplicate
    assert read_attendee_list(text, ignore_rest=True).unassigned == []
    changed = text.replace("Kontakt", "Telefon")
    assert "Telefon" in [column.heading for column in read_attendee_list(changed, assignments).unassigned]


def test_a_list_with_too_many_columns_is_refused() -> None:
    with pytest.raises(ValidationError, match="1001 columns"):
        read_attendee_list("name" + "," * 1000 + "\nAna")
