"""Files of attendee lists: separators, line ends, encodings, workbooks, and files that are no lists."""

from __future__ import annotations

import codecs
import io
import resource
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from apps.events.issuing import Holder
from apps.imports.attendee_lists import read_attendee_list
from apps.imports.list_files import read_list_file, read_rows

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
def test_excels_separator_line_is_no_holder(text: str) -> None:
    assert [line.to_holder() for line in read_attendee_list(text)] == [ANA]


def test_the_separator_line_counts_as_a_line() -> None:
    assert [number for number, _ in read_rows("sep=;\nAna;ana@example.org\n\nBen")] == [2, 4]


def test_the_separator_line_takes_precedence_over_frequency() -> None:
    assert read_rows("sep=,\nAna;Ben;Cem,ana@example.org") == [(2, ["Ana;Ben;Cem", "ana@example.org"])]


@pytest.mark.parametrize("text", ["sep=x\nAna", "sep=\nAna"])
def test_an_unsupported_separator_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="names an unsupported separator"):
        read_rows(text)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x85"])
def test_the_line_ends_of_every_system_are_read(end: str) -> None:
    rows = read_rows(end.join(["Ana;ana@example.org", "", 'Ben;"ben@example.org"', ""]))

    assert rows == [(1, ["Ana", "ana@example.org"]), (3, ["Ben", "ben@example.org"])]


@pytest.mark.parametrize(
    "text", ['Ana\n"Ben, ben@example.org\nCem', 'Ana\n"Ben" Lee, ben@example.org', 'Ana\n"' + "x" * 200_000 + '"']
)
def test_an_unclosed_quotation_mark_is_refused(text: str) -> None:
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
def test_the_byte_order_mark_decides_the_byte_order(order: bytes) -> None:
    assert read_list_file(order).text == "é"


def test_text_that_is_not_unicode_is_read_as_windows_1252_with_a_note() -> None:
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
        (archive_of("guests.csv").replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"), "damaged"),
        (archive_of("gu\u00e9sts.csv").replace(b"\xc3\xa9", b"\xc3\xc3"), "damaged"),
        (b"\x1f\x8b\x08\0", "a compressed file"),
        (bytes(range(256)) * 4, "not in Unicode, or is not a text"),
    ],
)
def test_a_file_that_is_no_list_is_named_with_what_to_do(content: bytes, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_list_file(content)
    assert kind in caught.value.messages[0]
    assert "CSV" in caught.value.messages[0]


# -- Workbooks ---------------------------------------------------------------------------------------------------

WORKBOOKS = Path(__file__).with_name("workbooks")
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def xlsx(rows: Iterable[str]) -> bytes:
    """Return a minimal workbook with these rows of XML."""
    relation = f'<Relationship Id="r1" Type="{DOCUMENT}/{{}}" Target="{{}}"/>'
    related = f'<Relationships xmlns="{RELATIONS}">{relation}</Relationships>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", related.format("officeDocument", "xl/workbook.xml"))
        archive.writestr("xl/_rels/workbook.xml.rels", related.format("worksheet", "worksheets/sheet1.xml"))
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{SHEET}" xmlns:r="{DOCUMENT}"><sheets><sheet name="Gäste" sheetId="1" r:id="r1"/>'
            "</sheets></workbook>",
        )
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{SHEET}"><sheetData>'.encode())
            for row in rows:
                sheet.write(row.encode())
            sheet.write(b"</sheetData></worksheet>")
    return buffer.getvalue()


def cell(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def ods(*rows: Sequence[str]) -> bytes:
    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
        for short, long in {"office": "office", "table": "table", "text": "text"}.items()
    )
    cells = [
        "".join(f'<table:table-cell office:value-type="string"><text:p>{v}</text:p></table:table-cell>' for v in row)
        for row in rows
    ]
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    content = (
        f'<?xml version="1.0"?><office:document-content{names}><office:body><office:spreadsheet>'
        f'<table:table table:name="Gäste">{table}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", content)
    return buffer.getvalue()


@pytest.mark.integration
def test_a_workbook_is_read_as_excel_shows_it() -> None:
    """The workbook has a hidden first sheet, a whole number, a date, an empty row, formulas, and a sheet of notes."""
    file = read_list_file((WORKBOOKS / "guests.xlsx").read_bytes())
    attendees = read_attendee_list(file.text, ignore_rest=True)

    assert [(line.number, line.to_holder()) for line in attendees] == [
        (2, Holder("Ann Lee", "ann@example.org", 2)),
        (4, Holder("王小明", "xiaoming@example.org", 1)),
        (5, Holder("Ben Loh", "ben@example.org", 3)),
    ]
    assert [column.samples for column in attendees.columns if column.heading == "Bestellung"] == [
        ["12345", "2027-01-02"]
    ]
    assert file.note == "Only the sheet “Gäste” was read. Other sheets with values: 1."


@pytest.mark.integration
def test_xls_and_ods_workbooks_are_read() -> None:
    old = read_list_file((WORKBOOKS / "guests.xls").read_bytes())
    free = read_list_file(ods(["Name", "Vorname", "E-Mail"], ["Lee", "Ann", "ann@example.org"]))

    assert [line.name for line in read_attendee_list(old.text, ignore_rest=True)] == ["Ann Lee"]
    assert [line.name for line in read_attendee_list(free.text)] == ["Ann Lee"]


@pytest.mark.integration
def test_commas_and_line_breaks_in_a_cell_are_part_of_its_value() -> None:
    heading = f"<row>{cell('A1', 'Name, as printed, please (name)')}{cell('B1', 'E-Mail')}</row>"
    row = f"<row>{cell('A2', 'Lee, Ann&#10;Mei')}{cell('B2', 'ann@example.org')}</row>"
    assert read_rows(read_list_file(xlsx([heading, row])).text)[1:] == [(2, ["Lee, Ann Mei", "ann@example.org"])]

    alone = read_list_file(xlsx([f"<row>{cell('A1', 'Lee, Ann; M.')}</row>"]))
    assert read_rows(alone.text) == [(1, ["Lee, Ann; M."])]


def far_corner() -> Iterator[str]:
    yield f"<row>{cell('A1', 'Ana')}</row><row>{cell('XFD1048576', 'Ben')}</row>"


def bomb() -> Iterator[str]:
    for number in range(1, 6001):
        yield f"<row>{''.join(cell(f'{column}{number}', 'x' * 3000) for column in 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')}</row>"


@pytest.mark.integration
@pytest.mark.parametrize("rows", [far_corner, bomb])
def test_a_workbook_that_needs_too_much_memory_is_refused(rows: Callable[[], Iterator[str]]) -> None:
    content = xlsx(rows())
    assert len(content) < 2 * 1024 * 1024, "small enough to be uploaded"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValidationError, match=r"damaged or too large\. Save it as “CSV UTF-8”"):
        read_list_file(content)
    grown_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kilobytes < 100 * 1024, "the memory is used in the sandbox, not in this process"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (xlsx([f"<row>{cell('A1', 'Ana')}</row><row>{cell('A30000', 'Ben')}</row>"]), "“Gäste” has 30000 rows"),
        (xlsx([]), "All visible sheets of this workbook are empty"),
        (xlsx(f"<row>{cell(f'A{n}', 800 * 'Zoë')}</row>" for n in range(1, 1000)), "more than 2 MB of text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not a readable workbook"),
        (archive_of("xl/workbook.xml"), "not a readable workbook"),
    ],
)
def test_an_unreadable_workbook_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read_list_file(content)
