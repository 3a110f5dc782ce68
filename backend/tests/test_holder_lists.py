"""Lists of holders as people really have them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from apps.events.holder_lists import MAX_LINES, decode, read_holders
from apps.events.tickets import Holder


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
def test_one_line(text: str, holder: Holder) -> None:
    (line,) = read_holders(text)

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
        ("Ana, ana@example.org, 1, 2", "There are more than three values. Put a name with a comma in it into"),
        ("A\0na, ana@example.org", "There is a NUL character in this line. Save the list as “CSV UTF-8” and upload it"),
        ("Ana, ana@example.org, 1\0", "There is a NUL character in this line."),
        ("A" * 201, "The name is longer than 200 characters."),
    ],
)
def test_what_is_wrong_with_a_line(text: str, problem: str) -> None:
    (line,) = read_holders(text)

    assert line.problems[0].startswith(problem)


def test_every_problem_of_every_line_is_told_with_the_lines_number() -> None:
    lines = read_holders("name,email,quantity\nAna,ana@example.org,2\n\nBen,ben,x\n")

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
def test_what_is_no_list(text: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_holders(text)
    assert reason in caught.value.messages[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_files_are_read(encoding: str) -> None:
    assert decode("王小明".encode(encoding)) == "王小明"


def test_other_files_are_refused_with_the_cure() -> None:
    with pytest.raises(ValidationError, match="CSV UTF-8"):
        decode("Amélie".encode("cp1252"))


def test_columns_that_nobody_knows_are_named() -> None:
    assert read_holders("Seat;E-Mail;Diet\nA1;ana@example.org;none").unused == ["Seat", "Diet"]
    assert read_holders("Ana, ana@example.org, 2").unused == []
