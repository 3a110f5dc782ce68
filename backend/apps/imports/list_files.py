"""Attendee lists as files and as pasted text: what is in them, as rows of values."""

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
READER = "apps.imports.workbooks"
WORKBOOK_BYTES = 384 * 1024 * 1024
WORKBOOK_SECONDS = 10
MAX_VALUE = 10_000  # characters of a value; a quotation mark that is not closed swallows the lines behind it
SAVE_AS_CSV = "Save it as “CSV UTF-8” and upload it again."

_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
# What Excel writes first for itself: sep=; alone in its line, perhaps in quotation marks or with empty values behind.
_SEPARATOR_LINE = re.compile(r'\A(\s*)"?sep=(\\t|[^"\n]?)"?[;,\t]*(?=\n|\Z)', re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PROBE = 2000  # bytes that tell UTF-16 without a mark
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
    """The text of an uploaded list. `note` says what people should know; `is_guess` that letters may be wrong."""

    text: str
    note: str = ""
    is_guess: bool = False


def read_list_file(content: bytes) -> ListFile:
    """Return the text of an uploaded file. Raises ValidationError, which says what the file is and what to do."""
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
    """Return what is not in Unicode as Western European, which has to be looked at: other alphabets look alike."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = "\0"
    if _CONTROL.search(text):
        raise ValidationError(f"This file is not in Unicode, or no text at all. {SAVE_AS_CSV}")
    note = (
        "The file does not say how its letters are written. It was read as Western European (Windows-1252). "
        f"If a letter below is wrong, go back to the program that wrote the file. {SAVE_AS_CSV}"
    )
    return ListFile(text, note, is_guess=True)


def _encoding(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    probe = content[:_PROBE]
    even, odd = probe[::2].count(0), probe[1::2].count(0)
    if max(even, odd) * 5 > len(probe) and max(even, odd) > 4 * min(even, odd):  # most characters are below U+0100
        return "utf-16-be" if even > odd else "utf-16-le"
    return "utf-8"


def _read_workbook(content: bytes) -> ListFile:
    if content.startswith(_CONTAINERS[0]) and (kind := _kind_of_archive(content)):
        raise ValidationError(f"This file is {kind}, not a list. {SAVE_AS_CSV}")
    try:
        answer = sandbox.run(READER, content, memory_bytes=WORKBOOK_BYTES, cpu_seconds=WORKBOOK_SECONDS)
    except sandbox.RefusedError as error:
        raise ValidationError(str(error)) from error
    except sandbox.ExhaustedError as error:
        raise ValidationError(f"This workbook is damaged, or too large to be read here. {SAVE_AS_CSV}") from error
    sheet = json.loads(answer)
    note = f"Read from the sheet “{sheet['sheet']}”. Not read: {sheet['others']} more with values."
    return ListFile(sheet["text"], note if sheet["others"] else "")


def _kind_of_archive(content: bytes) -> str:
    """Return what a ZIP archive is, or nothing for a workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):  # the last two for a broken version or name
        return "a damaged workbook or archive"
    if any(name.startswith("xl/") for name in names) or {"mimetype", "content.xml"} <= set(names):
        return ""
    if any(name.endswith(".iwa") or name == "Index.zip" for name in names):
        return "a Numbers spreadsheet"
    if any(name.startswith("word/") for name in names):
        return "a Word document"
    return "an archive of files"


def read_rows(text: str) -> list[tuple[int, list[str]]]:
    """Return the values of the lines that have any, each with the number of its line.

    Raises ValidationError for a text whose quotation marks do not match.
    """
    text, separator = _separator(_LINE_ENDS.sub("\n", text.removeprefix("\ufeff")))
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    rows = []
    try:
        for number, row in enumerate(reader, start=1):
            cells = [cell.strip() for cell in row]
            if any(len(cell) > MAX_VALUE for cell in cells):
                raise csv.Error
            if any(cells):
                rows.append((number, cells))
    except csv.Error as error:
        raise ValidationError(
            f"This list can’t be read after line {reader.line_num}. Look for a quotation mark that is not closed. "
            "Inside a value it is written twice."
        ) from error
    return rows


def _separator(text: str) -> tuple[str, str]:
    """Return the text without a line that names the separator, and the separator.

    Without such a line it is a tab if the first line has one, else the mark that is the most frequent in it, outside
    quotation marks.
    """
    if named := _SEPARATOR_LINE.match(text):
        separator = "\t" if named[2] == "\\t" else named[2]
        if separator not in SEPARATORS:
            raise ValidationError("The first line names a separator that is none. Use a comma, a semicolon or a tab.")
        return named[1] + text[named.end() :], separator
    unquoted = re.sub(r'"[^"]*("|$)', "", text)
    first = next((line for line in unquoted.splitlines() if line.strip()), "")
    if "\t" in first:
        return text, "\t"
    return text, max(";,", key=first.count) if ";" in first else ","
