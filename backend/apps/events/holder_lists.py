"""Lists of holders as organisers have them: pasted lines or a CSV file, one holder a line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from .tickets import Holder
from .validators import refuse_control_characters

MAX_LINES = 5000
MAX_QUANTITY = 500
MAX_NAME = 200
SHOWN = 20  # characters of what is no quantity
COLUMNS = ("name", "email", "quantity")
# How people head their columns, in small letters.
HEADINGS = {
    heading: column
    for column, headings in {
        "name": ("name", "holder", "full name", "guest", "attendee"),
        "given": ("first name", "given name", "forename", "vorname", "prénom"),
        "family": ("last name", "surname", "family name", "nachname", "nom"),
        "email": ("email", "e-mail", "mail", "email address", "e-mail address"),
        "quantity": ("quantity", "qty", "tickets", "count", "admits", "number of tickets", "menge", "anzahl"),
    }.items()
    for heading in headings
}
WHITE_SPACE = re.compile(r"[ \t\r\n]+")  # a cell may hold line breaks: spreadsheets let people write several lines
# As mail programs write an address: Ann Lee <ann@example.org>
MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>\s@]+@[^<>\s]+)>")


@dataclass(slots=True)
class Line:
    """One holder as it was read, and all that is wrong with it. `number` counts from 1, empty lines included."""

    number: int
    name: str = ""
    email: str = ""
    quantity: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what its ticket shows otherwise; no reason not to issue it

    def to_holder(self) -> Holder:
        return Holder(self.name, self.email, int(self.quantity or 1))


class HolderList(list[Line]):
    """The lines, and the headings of the columns that nobody knew what to do with."""

    def __init__(self, lines: Iterable[Line], unused: Sequence[str] = ()) -> None:
        super().__init__(lines)
        self.unused = list(unused)


def decode(content: bytes) -> str:
    """The text of an uploaded file. Raises ValidationError for one that is not in Unicode."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValidationError("This file is not in Unicode. Save it as “CSV UTF-8” and upload it again.") from error


def read_holders(text: str) -> HolderList:
    """One `Line` for every line with text: name, e-mail, quantity, separated by commas, semicolons or tabs.

    The first line may head the columns, in any order. Raises ValidationError when it is no such list at all.
    """
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=_delimiter(text), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise ValidationError(
            f"This list can’t be read: {error}. Look for a quotation mark that is not closed."
        ) from error
    columns: tuple[str, ...] = COLUMNS
    unused: list[str] = []
    lines: list[Line] = []
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if not lines and columns is COLUMNS and (headed := _headings(cells)):
            columns = headed
            unused = [cell for cell, column in zip(cells, columns, strict=True) if cell and not column]
            continue
        lines.append(_read(number, cells, columns))
    if not lines:
        raise ValidationError("There is no holder in this list. Write one a line: name, e-mail, quantity.")
    if len(lines) > MAX_LINES:
        raise ValidationError(f"This list has {len(lines)} lines. Issue at most {MAX_LINES} tickets at once.")
    return HolderList(lines, unused)


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max("\t;,", key=first.count) if any(mark in first for mark in "\t;,") else ","


def _headings(cells: list[str]) -> tuple[str, ...] | None:
    """What the columns hold, if these cells are headings: an empty text for those that nobody knows."""
    columns = tuple(HEADINGS.get(cell.lower(), "") for cell in cells)
    return columns if {"name", "family", "email"} & set(columns) else None


def _read(number: int, cells: list[str], columns: tuple[str, ...]) -> Line:
    values = {name: WHITE_SPACE.sub(" ", cell) for name, cell in zip(columns, cells, strict=False) if name}
    name = values.get("name") or " ".join(filter(None, (values.get("given"), values.get("family"))))
    line = Line(number, *_mailbox(name, values.get("email", "")), values.get("quantity", ""))
    if columns is COLUMNS and len(cells) > len(columns):
        line.problems.append("There are more than three values. Put a name with a comma in it into quotation marks.")
    if any("\0" in value for value in values.values()):  # which PostgreSQL has no room for
        line.problems.append("There is a NUL character in this line. Save the list as “CSV UTF-8” and upload it again.")
    else:
        line.problems += _control_characters(line)
    if not line.name and not line.email:
        line.problems.append("A name or an e-mail address is needed.")
    if len(line.name) > MAX_NAME:
        line.problems.append(f"The name is longer than {MAX_NAME} characters.")
    if line.email:
        try:
            validate_email(line.email)
        except ValidationError:
            line.problems.append(f"“{line.email}” is not an e-mail address.")
    if not _is_quantity(line.quantity or "1"):
        shown = line.quantity if len(line.quantity) <= SHOWN else f"{line.quantity[:SHOWN]}…"
        line.problems.append(f"The quantity “{shown}” is not a whole number from 1 to {MAX_QUANTITY}.")
    return line


def _control_characters(line: Line) -> list[str]:
    problems = []
    for value in (line.name, line.email):
        try:
            refuse_control_characters(value)
        except ValidationError as error:
            problems += error.messages
    return problems


def _mailbox(name: str, email: str) -> tuple[str, str]:
    """Name and address, where both stand in the place of the name, or the address alone does."""
    if email:
        return name, email
    if written := MAILBOX.fullmatch(name):
        return written["name"].strip(' "'), written["email"]
    try:
        validate_email(name)
    except ValidationError:
        return name, ""
    return "", name


def _is_quantity(text: str) -> bool:
    # Python refuses to read numbers of thousands of digits
    return text.isascii() and text.isdigit() and len(text) <= SHOWN and 1 <= int(text) <= MAX_QUANTITY
