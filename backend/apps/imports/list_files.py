"""Read attendee lists from files and pasted text into rows of values."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import zipfile
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from apps.core import sandbox

SEPARATORS = ("\t", ";", ",", "|", ":")
WORKBOOK_READER = "apps.imports.workbooks"
WORKBOOK_MEMORY_BYTES = 384 * 1024 * 1024
WORKBOOK_CPU_SECONDS = 10
MAX_VALUE_CHARACTERS = 10_000  # a missing quotation mark makes a value of all the lines that follow
SAVE_AS_CSV = "Save it as “CSV UTF-8” and upload it again."

_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
# The first line that Excel writes for itself: sep=; possibly in quotation marks or followed by empty values.
_SEPARATOR_LINE = re.compile(r'\A(\s*)"?sep=(\\t|[^"\n]?)"?[;,\t]*(?=\n|\Z)', re.IGNORECASE)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PROBE_BYTES = 2000  # examined to detect UTF-16 without a byte order mark
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CONTAINERS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_FILE_KINDS = (
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"BEGIN:VCARD", "a file of contact cards"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf", "a compressed file"),
    (b"Rar!", "a compressed file"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
)


@dataclass(frozen=True, slots=True)
class ListFile:
    """The text of an uploaded list.

    `note` is a message for the organiser. `is_guess` is True if the encoding was guessed, so that letters may be wrong.
    """

    text: str
    note: str = ""
    is_guess: bool = False


def read_list_file(content: bytes) -> ListFile:
    """Return the text of an uploaded file.

    Raises ValidationError if the file is not a list or can't be read. The message says what it is and what to do.
    """
    if content.startswith(_CONTAINERS):
        return _read_workbook(content)
    beginning = content[:100].lstrip(codecs.BOM_UTF8).lstrip().lower()
    for mark, kind in _FILE_KINDS:
        if beginning.startswith(mark.lower()):
            raise ValidationError(f"This file is {kind}, not a list. Upload a CSV file, or paste the lines.")
    try:
        return ListFile(content.decode(_encoding(content)))
    except UnicodeDecodeError:
        return _read_western(content)


def _read_western(content: bytes) -> ListFile:
    """Decode text that is not Unicode as Windows-1252. This is a guess: other 8-bit encodings give no errors either."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = "\0"
    if _CONTROL.search(text):
        raise ValidationError(f"This file is not in Unicode, or is not a text. {SAVE_AS_CSV}")
    note = (
        "The encoding of this file is unknown. It was read as Western European (Windows-1252). "
        f"If a letter below is wrong, open the file in the program that wrote it. {SAVE_AS_CSV}"
    )
    return ListFile(text, note, is_guess=True)


def _encoding(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding
    probe = content[:_PROBE_BYTES]
    even, odd = probe[::2].count(0), probe[1::2].count(0)
    # In UTF-16, characters below U+0100 have a zero byte, always on the same side.
    if max(even, odd) * 5 > len(probe) and max(even, odd) > 4 * min(even, odd):
        return "utf-16-be" if even > odd else "utf-16-le"
    return "utf-8"


def _read_workbook(content: bytes) -> ListFile:
    if content.startswith(_CONTAINERS[0]) and (kind := _kind_of_archive(content)):
        raise ValidationError(f"This file is {kind}, not a list. {SAVE_AS_CSV}")
    try:
        answer = sandbox.run(
            WORKBOOK_READER, content, memory_bytes=WORKBOOK_MEMORY_BYTES, cpu_seconds=WORKBOOK_CPU_SECONDS
        )
    except sandbox.RefusedError as error:
        raise ValidationError(str(error)) from error
    except sandbox.ExhaustedError as error:
        raise ValidationError(f"This workbook is damaged or too large. {SAVE_AS_CSV}") from error
    sheet = json.loads(answer)
    note = f"Only the sheet “{sheet['sheet']}” was read. Other sheets with values: {sheet['others']}."
    return ListFile(sheet["text"], note if sheet["others"] else "")


def _kind_of_archive(content: bytes) -> str:
    """Return what kind of file a ZIP archive is, or an empty string for a workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):  # the last two: invalid version or file name
        return "a damaged workbook or archive"
    if any(name.startswith("xl/") for name in names) or {"mimetype", "content.xml"} <= set(names):
        return ""
    if any(name.endswith(".iwa") or name == "Index.zip" for name in names):
        return "a Numbers spreadsheet"
    if any(name.startswith("word/") for name in names):
        return "a Word document"
    return "an archive of files"


def read_rows(text: str) -> list[tuple[int, list[str]]]:
    """Return (line number, values) of every line that has values.

    Raises ValidationError if a quotation mark is not closed, or if the text names a separator that is not supported.
    """
    text, separator = _separator(_LINE_ENDS.sub("\n", text.removeprefix("\ufeff")))
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    rows = []
    try:
        for number, row in enumerate(reader, start=1):
            cells = [cell.strip() for cell in row]
            if any(len(cell) > MAX_VALUE_CHARACTERS for cell in cells):
                raise csv.Error
            if any(cells):
                rows.append((number, cells))
    except csv.Error as error:
        raise ValidationError(
            f"This list can’t be read after line {reader.line_num}. Look for a quotation mark that is not closed. "
            "Inside a value, write it twice."
        ) from error
    return rows


def _separator(text: str) -> tuple[str, str]:
    """Return the text without Excel's `sep=` line, and the separator.

    Without a `sep=` line, the separator is a tab if the first line contains one, else the more frequent of semicolon
    and comma outside quotation marks.
    """
    if named := _SEPARATOR_LINE.match(text):
        separator = "\t" if named[2] == "\\t" else named[2]
        if separator not in SEPARATORS:
            raise ValidationError("The first line names an unsupported separator. Use a comma, a semicolon or a tab.")
        return named[1] + text[named.end() :], separator
    unquoted = re.sub(r'"[^"]*("|$)', "", text)
    first = next((line for line in unquoted.splitlines() if line.strip()), "")
    if "\t" in first:
        return text, "\t"
    return text, max(";,", key=first.count) if ";" in first else ","
