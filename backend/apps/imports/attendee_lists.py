"""Lists of holders as organisers have them: pasted lines or a CSV file, one holder a line."""

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
from .list_headings import Meaning, full_name, understand

MAX_LINES = 5000
MAX_QUANTITY = 500
MAX_NAME = 200
MAX_COLUMNS = 200
SHOWN = 20  # characters of what is no quantity
SAMPLES = 3  # values that are shown of a column whose heading is not understood
POSITIONS = (Meaning.NAME, Meaning.EMAIL, Meaning.QUANTITY)  # the columns of a list without headings
WHITE_SPACE = re.compile(r"[ \t\r\n]+")  # a cell may hold line breaks: spreadsheets let people write several lines
# As mail programs write an address: Ann Lee <ann@example.org>
MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>@]+@[^<>]+)>\s*")


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


@dataclass(slots=True)
class Column:
    """A column of a list with headings. `meaning` is None as long as the organiser has to say what it holds."""

    index: int
    heading: str
    samples: list[str]
    meaning: Meaning | None = None
    is_second: bool = False  # another column holds the same already

    @property
    def field(self) -> str:
        """The name of the form field that says what the column holds. It changes with the heading."""
        return f"column_{self.index}_{zlib.crc32(self.heading.encode()):08x}"


class HolderList(list[Line]):
    """The lines, and the columns if the list has headings."""

    def __init__(
        self, lines: Iterable[Line] = (), columns: Sequence[Column] = (), *, family_first: bool = False
    ) -> None:
        super().__init__(lines)
        self.columns = list(columns)
        self.family_first = family_first

    @property
    def unanswered(self) -> list[Column]:
        """The columns that nothing may be issued from before the organiser has said what they hold."""
        return [column for column in self.columns if column.meaning is None]


def read_holders(text: str, answers: Mapping[str, str] | None = None, *, ignore_rest: bool = False) -> HolderList:
    """Return one `Line` for every line with text: name, e-mail, quantity, separated by commas, semicolons or tabs.

    The first line may head the columns, in any order. `answers` says by `Column.field` what columns hold; `ignore_rest`
    leaves out those that are neither understood nor answered for. Raises ValidationError when it is no such list.
    """
    rows = read_rows(text)
    headings = understand(rows[0][1]) if rows else None
    first, body = rows[: bool(headings)], rows[bool(headings) :]
    if not body:
        raise ValidationError("There is no holder in this list. Write one a line: name, e-mail, quantity.")
    if len(body) > MAX_LINES:
        raise ValidationError(f"This list has {len(body)} lines. Issue at most {MAX_LINES} tickets at once.")
    if headings is None:
        return HolderList(_read_positions(number, cells) for number, cells in body)
    columns = _columns(first[0][1], [cells for _, cells in body], headings.meanings, answers or {})
    if ignore_rest:
        for column in columns:
            column.meaning = column.meaning or Meaning.IGNORED
    holders = HolderList((), columns, family_first=headings.family_first)
    holders.extend(_read_columns(number, cells, holders) for number, cells in body)
    return holders


def _columns(
    headings: list[str], body: list[list[str]], meanings: Sequence[Meaning | None], answers: Mapping[str, str]
) -> list[Column]:
    """Return every column that has a heading or a value. Of two that hold the same, the second is a question."""
    width = max(len(headings), *map(len, body))
    if width > MAX_COLUMNS:
        raise ValidationError(f"This list has {width} columns. Leave out what is not needed, down to {MAX_COLUMNS}.")
    columns = []
    taken: set[Meaning] = set()
    for index, heading, meaning in zip_longest(range(width), headings, meanings):
        values = (cells[index] for cells in body if index < len(cells) and cells[index])
        column = Column(index, heading or "", list(islice(dict.fromkeys(values), SAMPLES)), meaning)
        if not column.heading and not column.samples:
            continue
        if (answer := answers.get(column.field)) in set(Meaning):
            column.meaning = Meaning(answer)
        if column.meaning in taken:
            column.meaning, column.is_second = None, True
        elif column.meaning and column.meaning is not Meaning.IGNORED:
            taken.add(column.meaning)
        columns.append(column)
    return columns


def _read_columns(number: int, cells: list[str], holders: HolderList) -> Line:
    values = {
        column.meaning: cells[column.index]
        for column in holders.columns
        if column.meaning and column.index < len(cells)
    }
    name = full_name(values, family_first=holders.family_first)
    return _read(number, name, values.get(Meaning.EMAIL, ""), values.get(Meaning.QUANTITY, ""))


def _read_positions(number: int, cells: list[str]) -> Line:
    line = _read(number, *(cells + [""] * len(POSITIONS))[: len(POSITIONS)])
    if len(cells) > len(POSITIONS):
        line.problems.insert(0, "There are more than three values. Put a name with a comma in it into quotation marks.")
    return line


def _read(number: int, name: str, email: str, quantity: str) -> Line:
    name, email, quantity = (WHITE_SPACE.sub(" ", value) for value in (name, email, quantity))
    line = Line(number, *_mailbox(name, email), quantity)
    if any("\0" in value for value in (name, email, quantity)):  # which PostgreSQL has no room for
        line.problems.append("There is a NUL character in this line. Save the list as “CSV UTF-8” and upload it again.")
    else:
        line.problems += _control_characters(line)
    if not line.name and not line.email:
        line.problems.append("A name or an e-mail address is needed.")
    if len(line.name) > MAX_NAME:
        line.problems.append(f"The name is longer than {MAX_NAME} characters.")
    if line.email:
        line.problems.extend(_wrong_with(line.email))
    if not _is_quantity(line.quantity or "1"):
        shown = line.quantity if len(line.quantity) <= SHOWN else f"{line.quantity[:SHOWN]}…"
        line.problems.append(f"The quantity “{shown}” is not a whole number from 1 to {MAX_QUANTITY}.")
    return line


def _control_characters(line: Line) -> list[str]:
    try:
        refuse_control_characters(line.name)
    except ValidationError as error:
        return error.messages
    return []


def _mailbox(name: str, email: str) -> tuple[str, str]:
    """Name and address, where both stand in the place of the name, or the address alone does."""
    if email:
        return name, strip_address(email)
    if written := MAILBOX.fullmatch(name):
        return written["name"].strip(' "'), strip_address(written["email"])
    address = strip_address(name)
    return ("", address) if "@" in address and not _wrong_with(address) else (name, "")


def _wrong_with(address: str) -> list[str]:
    try:
        refuse_unseen_characters(address)
        validate_email(address)
    except ValidationError as error:
        return [f"“{address}” is not an e-mail address."] if error.code == "invalid" else error.messages
    return []


def _is_quantity(text: str) -> bool:
    # Python refuses to read numbers of thousands of digits
    return text.isascii() and text.isdigit() and len(text) <= SHOWN and 1 <= int(text) <= MAX_QUANTITY
