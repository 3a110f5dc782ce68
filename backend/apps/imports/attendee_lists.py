"""Parse and validate attendee lists: pasted lines or the text of a file, one holder per line."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.core.addresses import refuse_unseen_characters, strip_address
from apps.core.validators import refuse_control_characters
from apps.events.issuing import Holder

from .list_files import read_rows
from .list_headings import Meaning, full_name, interpret_headings

MAX_LINES = 5000
MAX_QUANTITY = 500
MAX_NAME_CHARACTERS = 200
MAX_COLUMNS = 200
MAX_QUANTITY_CHARACTERS = 20
SAMPLES_PER_COLUMN = 3
POSITIONS = (Meaning.NAME, Meaning.EMAIL, Meaning.QUANTITY)  # the columns of a list without headings
WHITE_SPACE = re.compile(r"[ \t\r\n]+")  # cells of a spreadsheet may contain line breaks
# The format of mail programs: Ann Lee <ann@example.org>
MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>@]+@[^<>]+)>\s*")


@dataclass(slots=True)
class Line:
    """A line of the list and its problems. `number` counts from 1 and includes empty lines."""

    number: int
    name: str = ""
    email: str = ""
    quantity: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # differences in print, which don't prevent issuing the ticket

    def to_holder(self) -> Holder:
        return Holder(self.name, self.email, int(self.quantity or 1))


@dataclass(slots=True)
class Column:
    """A column of a list with headings. `meaning` is None until the organiser assigns one."""

    index: int
    heading: str
    samples: list[str]
    meaning: Meaning | None = None
    is_duplicate: bool = False  # an earlier column has the same meaning

    @property
    def field(self) -> str:
        """Return the name of the form field for the meaning. A changed heading gives another, empty field."""
        return f"column_{self.index}_{zlib.crc32(self.heading.encode()):08x}"


class AttendeeList(list[Line]):
    """The lines, and the columns if the list has headings."""

    def __init__(
        self, lines: Iterable[Line] = (), columns: Sequence[Column] = (), *, family_first: bool = False
    ) -> None:
        super().__init__(lines)
        self.columns = list(columns)
        self.family_first = family_first

    @property
    def unassigned(self) -> list[Column]:
        """Return the columns without a meaning. No ticket may be issued while there are any."""
        return [column for column in self.columns if column.meaning is None]


def read_attendee_list(
    text: str, assignments: Mapping[str, str] | None = None, *, ignore_rest: bool = False
) -> AttendeeList:
    """Return a `Line` for every non-empty line: name, e-mail, quantity, separated by commas, semicolons or tabs.

    The first line may contain headings of the columns, in any order. `assignments` maps `Column.field` to a `Meaning`;
    `ignore_rest` ignores all columns that have no meaning otherwise. Raises ValidationError if the text can't be read
    as a list, has no holder, or has too many lines or columns.
    """
    rows = read_rows(text)
    headings = interpret_headings(rows[0][1]) if rows else None
    first, body = rows[: bool(headings)], rows[bool(headings) :]
    if not body:
        raise ValidationError("There is no holder in this list. Write one a line: name, e-mail, quantity.")
    if len(body) > MAX_LINES:
        raise ValidationError(f"This list has {len(body)} lines. Issue at most {MAX_LINES} tickets at once.")
    if headings is None:
        return AttendeeList(_read_positions(number, cells) for number, cells in body)
    columns = _columns(first[0][1], [cells for _, cells in body], headings.meanings, assignments or {})
    if ignore_rest:
        for column in columns:
            column.meaning = column.meaning or Meaning.IGNORED
    attendees = AttendeeList((), columns, family_first=headings.family_first)
    attendees.extend(_read_columns(number, cells, attendees) for number, cells in body)
    return attendees


def _columns(
    headings: list[str], body: list[list[str]], meanings: Sequence[Meaning | None], assignments: Mapping[str, str]
) -> list[Column]:
    """Return every column with a heading or a value. A second column with the same meaning is left unassigned."""
    width = max(len(headings), *map(len, body))
    if width > MAX_COLUMNS:
        raise ValidationError(f"This list has {width} columns. Delete unneeded columns, down to {MAX_COLUMNS}.")
    columns = []
    taken: set[Meaning] = set()
    for index, heading, meaning in zip_longest(range(width), headings, meanings):
        values = (cells[index] for cells in body if index < len(cells) and cells[index])
        column = Column(index, heading or "", list(islice(dict.fromkeys(values), SAMPLES_PER_COLUMN)), meaning)
        if not column.heading and not column.samples:
            continue
        if (assigned := assignments.get(column.field)) in set(Meaning):
            column.meaning = Meaning(assigned)
        if column.meaning in taken:
            column.meaning, column.is_duplicate = None, True
        elif column.meaning and column.meaning is not Meaning.IGNORED:
            taken.add(column.meaning)
        columns.append(column)
    return columns


def _read_columns(number: int, cells: list[str], attendees: AttendeeList) -> Line:
    values = {
        column.meaning: cells[column.index]
        for column in attendees.columns
        if column.meaning and column.index < len(cells)
    }
    name = full_name(values, family_first=attendees.family_first)
    return _read(number, name, values.get(Meaning.EMAIL, ""), values.get(Meaning.QUANTITY, ""))


def _read_positions(number: int, cells: list[str]) -> Line:
    line = _read(number, *(cells + [""] * len(POSITIONS))[: len(POSITIONS)])
    if len(cells) > len(POSITIONS):
        line.problems.insert(0, "There are more than three values. Put quotation marks around a name with a comma.")
    return line


def _read(number: int, name: str, email: str, quantity: str) -> Line:
    name, email, quantity = (WHITE_SPACE.sub(" ", value) for value in (name, email, quantity))
    line = Line(number, *_mailbox(name, email), quantity)
    if any("\0" in value for value in (name, email, quantity)):  # PostgreSQL can't store NUL
        line.problems.append("This line contains a NUL character. Save the list as “CSV UTF-8” and upload it again.")
    else:
        line.problems += _control_characters(line)
    if not line.name and not line.email:
        line.problems.append("A name or an e-mail address is needed.")
    if len(line.name) > MAX_NAME_CHARACTERS:
        line.problems.append(f"The name is longer than {MAX_NAME_CHARACTERS} characters.")
    if line.email:
        line.problems.extend(_address_problems(line.email))
    if not _is_quantity(line.quantity or "1"):
        is_long = len(line.quantity) > MAX_QUANTITY_CHARACTERS
        shown = f"{line.quantity[:MAX_QUANTITY_CHARACTERS]}…" if is_long else line.quantity
        line.problems.append(f"The quantity “{shown}” is not a whole number from 1 to {MAX_QUANTITY}.")
    return line


def _control_characters(line: Line) -> list[str]:
    try:
        refuse_control_characters(line.name)
    except ValidationError as error:
        return error.messages
    return []


def _mailbox(name: str, email: str) -> tuple[str, str]:
    """Return name and address. Without an address, look for one in the column of the name."""
    if email:
        return name, strip_address(email)
    if written := MAILBOX.fullmatch(name):
        return written["name"].strip(' "'), strip_address(written["email"])
    address = strip_address(name)
    return ("", address) if "@" in address and not _address_problems(address) else (name, "")


def _address_problems(address: str) -> list[str]:
    try:
        refuse_unseen_characters(address)
        validate_email(address)
    except ValidationError as error:
        return [f"“{address}” is not an e-mail address."] if error.code == "invalid" else error.messages
    return []


def _is_quantity(text: str) -> bool:
    # Check the length first: int() raises an error for thousands of digits.
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_QUANTITY_CHARACTERS
    return is_number and 1 <= int(text) <= MAX_QUANTITY
