"""Lists as programs save them: separators, line ends, encodings, and files that are no lists."""

from __future__ import annotations

import codecs
import io
import zipfile

import pytest
from django.core.exceptions import ValidationError

from apps.events.holder_lists import read_holders
from apps.events.list_files import read_list_file, read_rows
from apps.events.tickets import Holder

ANA = Holder("Ana", "ana@example.org", 2)


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nAna;ana@example.org;2",
        "sep=,\r\nAna,ana@example.org,2",
        "sep=\t\nAna\tana@example.org\t2",
        "sep=\\t\nAna\tana@example.org\t2",
        '"sep=;"\nAna;ana@example.org;2',
        "SEP=;;;\nAna;ana@example.org;2",
        "\ufeff\n\nsep=|\rAna|ana@example.org|2",
        "sep=;\nName;E-Mail;Menge\nAna;ana@example.org;2",
    ],
)
def test_excels_line_about_the_separator_is_no_holder(text: str) -> None:
    assert [line.to_holder() for line in read_holders(text)] == [ANA]


def test_the_line_about_the_separator_counts_as_a_line() -> None:
    assert [number for number, _ in read_rows("sep=;\nAna;ana@example.org\n\nBen")] == [2, 4]


def test_a_separator_of_commas_decides_even_where_there_are_more_semicolons() -> None:
    assert read_rows("sep=,\nAna;Ben;Cem,ana@example.org") == [(2, ["Ana;Ben;Cem", "ana@example.org"])]


@pytest.mark.parametrize("text", ["sep=x\nAna", "sep=\nAna"])
def test_a_line_about_a_separator_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="names a separator that is none"):
        read_rows(text)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x85"])
def test_lines_end_as_any_system_ends_them(end: str) -> None:
    rows = read_rows(end.join(["Ana;ana@example.org", "", 'Ben;"ben@example.org"', ""]))

    assert rows == [(1, ["Ana", "ana@example.org"]), (3, ["Ben", "ben@example.org"])]


@pytest.mark.parametrize(
    "text", ['Ana\n"Ben, ben@example.org\nCem', 'Ana\n"Ben" Lee, ben@example.org', 'Ana\n"' + "x" * 200_000 + '"']
)
def test_what_is_wrong_is_said_in_our_own_words(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_rows(text)
    assert "This list can’t be read after line" in caught.value.messages[0]
    assert "Look for a quotation mark" in caught.value.messages[0]


@pytest.mark.parametrize("name", ["王小明", "Amélie", "Zoë 😀", "ليلى"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_encoding_of_unicode_is_read(encoding: str, name: str) -> None:
    text = f"Name;E-mail\n{name};ana@example.org\n"
    file = read_list_file(text.encode(encoding))

    assert (file.text.removeprefix("\ufeff"), file.note) == (text, "")


@pytest.mark.parametrize("order", [codecs.BOM_UTF16_LE + "é".encode("utf-16-le"), codecs.BOM_UTF16_BE + b"\0\xe9"])
def test_the_mark_says_the_order_of_bytes(order: bytes) -> None:
    assert read_list_file(order).text == "é"


def test_what_is_not_unicode_is_read_as_western_european_and_has_to_be_looked_at() -> None:
    file = read_list_file("Amélie, “Zoë” Müller €".encode("cp1252"))

    assert file.text == "Amélie, “Zoë” Müller €"
    assert file.is_guess
    assert "Save it as “CSV UTF-8”" in file.note


def archive_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n\xe2\xe3", "a PDF document"),
        (b"{\\rtf1\\ansi", "a text document"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", "contact cards"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a picture"),
        (b"\xff\xd8\xff\xe0\0\0", "a picture"),
        (b"\n<!DOCTYPE html><table>", "a web page"),
        (b"<html xmlns:x='urn:schemas-microsoft-com:office:excel'>", "a web page"),
        (archive_of("Index/Document.iwa", "preview.jpg"), "a Numbers spreadsheet"),
        (archive_of("word/document.xml"), "a Word document"),
        (archive_of("guests.csv"), "an archive of files"),
        (b"PK\x03\x04 and no more", "damaged"),
        (b"\x1f\x8b\x08\0", "a compressed file"),
        (bytes(range(256)) * 4, "not in Unicode, or no text at all"),
    ],
)
def test_what_is_no_list_is_named_with_what_to_do(content: bytes, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_list_file(content)
    assert kind in caught.value.messages[0]
    assert "CSV" in caught.value.messages[0]
