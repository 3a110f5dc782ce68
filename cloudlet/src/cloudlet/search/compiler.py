"""Compile a search expression to a WHERE clause. All values are bound parameters."""

import dataclasses
import datetime
import re
import sqlite3
from collections.abc import Mapping

from cloudlet.errors import bad_request
from cloudlet.search.fields import Field, Kind
from cloudlet.search.parser import Combined, Node, Not, Term, Value, parse

_WORDS = re.compile(r"[^\W_]+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "b": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2, "g": 1024**3, "gb": 1024**3}
_RATIO = re.compile(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")
_AGE = re.compile(r"(?:NOW-)?(\d{1,6})(h|d|w|m|y)", re.IGNORECASE)
_AGE_UNITS = {"h": 1 / 24, "d": 1, "w": 7, "m": 30, "y": 365}
_KEYS = {name: f"SELECT 1 FROM json_each({name})" for name in ("context", "metadata")}  # noqa: S608 - two constants
_CUSTOM = re.compile(r"(context|metadata)\.(.{1,255})", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Compiled:
    """A condition in SQL and its parameters. The condition is ``1`` if everything matches."""

    sql: str
    parameters: tuple[str | float | int, ...] = ()


def register_functions(connection: sqlite3.Connection) -> None:
    """Add the SQL functions that compiled expressions call to a connection."""
    connection.create_function("words_match", 3, _words_match, deterministic=True)
    connection.create_function("basename", 1, lambda path: path.rpartition("/")[2], deterministic=True)
    connection.create_function("extension", 1, extension_of, deterministic=True)


def extension_of(path: str) -> str:
    """Return the text after the last dot of the last segment, or "" if there is none."""
    return path.rpartition("/")[2].rpartition(".")[2] if "." in path.rpartition("/")[2] else ""


def _words_match(text: str | None, wanted: str, prefix: int) -> bool:
    """Return whether the words of ``wanted`` are consecutive in ``text``, ignoring case.

    With ``prefix``, the last word may be a prefix.
    """
    if text is None:
        return False
    if text.lower() == wanted.lower():
        return True
    words, needle = _WORDS.findall(text.lower()), _WORDS.findall(wanted.lower())
    if not needle:
        return bool(prefix)
    for start in range(len(words) - len(needle) + 1):
        *head, last = words[start : start + len(needle)]
        if head == needle[:-1] and (last == needle[-1] or (prefix and last.startswith(needle[-1]))):
            return True
    return False


def compile_expression(
    expression: str, fields: Mapping[str, Field], *, free_text: str, now: datetime.datetime | None = None
) -> Compiled:
    """Return the condition for an expression. Terms without a field search the text of the SQL ``free_text``.

    Raises ApiError 400 for syntax errors, unknown fields and invalid values.
    """
    tree = parse(expression)
    if tree is None:
        return Compiled("1")
    return _Compiler(fields, free_text, now or datetime.datetime.now(datetime.UTC)).compile(tree)


class _Compiler:
    def __init__(self, fields: Mapping[str, Field], free_text: str, now: datetime.datetime) -> None:
        self._fields = fields
        self._free_text = free_text
        self._now = now

    def compile(self, node: Node) -> Compiled:
        if isinstance(node, Not):
            inner = self.compile(node.operand)
            return Compiled(f"NOT coalesce({inner.sql}, 0)", inner.parameters)
        if isinstance(node, Combined):
            parts = [self.compile(part) for part in node.parts]
            joined = f" {node.operator} ".join(part.sql for part in parts)
            return Compiled(f"({joined})", tuple(value for part in parts for value in part.parameters))
        return self._term(node)

    def _term(self, term: Term) -> Compiled:
        if not term.field:
            return _words(self._free_text, term.value)
        custom = _CUSTOM.fullmatch(term.field)
        if custom:
            return self._custom(custom.group(1), custom.group(2), term)
        if term.field in _KEYS and "tags" in self._fields:
            return _exists(_KEYS[term.field], "key", term.value)
        field = self._fields.get(term.field)
        if field is None:
            raise bad_request(f"Invalid search expression: unknown field {term.field[:60]}")
        return self._known(field, term)

    def _known(self, field: Field, term: Term) -> Compiled:
        if field.kind is Kind.TAGS:
            if term.operator not in (":", "="):
                raise bad_request(f"Invalid search expression: tags cannot be compared with {term.operator}")
            return _exists("SELECT 1 FROM json_each(tags)", "value", term.value, words=term.operator == ":")
        if field.kind is Kind.FOLDER and term.operator in (":", "="):
            return _folder(field.sql, term)
        if field.kind is Kind.TEXT and term.operator == ":":
            return _words(field.sql, term.value)
        if field.kind in (Kind.TEXT, Kind.KEYWORD, Kind.FOLDER):
            return _texts(field.sql, term)
        return self._ordered(field, term)

    def _custom(self, column: str, key: str, term: Term) -> Compiled:
        """Compile ``context.key`` or ``metadata.external_id``. A list matches if one of its items does."""
        if term.operator == ":":
            test = _words("item.value", term.value)
        elif term.operator != "=" and re.fullmatch(r"-?\d+(\.\d+)?", term.value.text):
            test = self._ordered(Field(Kind.NUMBER, "CAST(item.value AS REAL)"), term)
        else:
            test = _texts("CAST(item.value AS TEXT)", term)
        return Compiled(
            f"EXISTS (SELECT 1 FROM json_each({column}) AS held,"  # noqa: S608 - one of two column names
            " json_each(iif(held.type = 'array', held.value, json_array(held.value))) AS item"
            f" WHERE held.key = ? AND {test.sql})",
            (key, *test.parameters),
        )

    def _ordered(self, field: Field, term: Term) -> Compiled:
        if term.operator == "[]" and term.upper is not None:
            low = self._literal(field, term.value)
            high = self._literal(field, term.upper)
            at_low, at_high = (">" if term.open_ends[0] else ">="), ("<" if term.open_ends[1] else "<=")
            return Compiled(f"({field.sql} {at_low} ? AND {field.sql} {at_high} ?)", (low, high))
        if field.kind is Kind.DATE and term.operator in (":", "="):
            start, end = self._day(term.value.text)
            return Compiled(f"({field.sql} >= ? AND {field.sql} < ?)", (start, end))
        operator = "=" if term.operator == ":" else term.operator
        literal = self._literal(field, term.value)
        if field.sql.startswith("(width * 1.0") and operator == "=":
            return Compiled(f"abs({field.sql} - ?) < 0.005", (literal,))
        return Compiled(f"{field.sql} {operator} ?", (literal,))

    def _literal(self, field: Field, value: Value) -> str | float:
        if field.kind is Kind.DATE:
            return self._moment(value.text).strftime("%Y-%m-%dT%H:%M:%SZ")
        if field.kind is Kind.SIZE:
            match = _SIZE.fullmatch(value.text)
            if match:
                return float(match.group(1)) * _SIZE_UNITS[(match.group(2) or "").lower()]
        ratio = _RATIO.fullmatch(value.text)
        if ratio and float(ratio.group(2)):
            return float(ratio.group(1)) / float(ratio.group(2))
        if re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", value.text):
            return float(value.text)
        raise bad_request(f"Invalid search expression: {value.text[:60]} is not a number")

    def _moment(self, text: str) -> datetime.datetime:
        age = _AGE.fullmatch(text)
        try:
            if age:
                return self._now - datetime.timedelta(days=int(age.group(1)) * _AGE_UNITS[age.group(2).lower()])
            if re.fullmatch(r"\d{9,11}", text):
                return datetime.datetime.fromtimestamp(int(text), tz=datetime.UTC)
            moment = datetime.datetime.fromisoformat(text)
        except (ValueError, OverflowError) as error:
            raise bad_request(f"Invalid search expression: {text[:60]} is not a date") from error
        return moment.astimezone(datetime.UTC) if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)

    def _day(self, text: str) -> tuple[str, str]:
        start = self._moment(text)
        length = datetime.timedelta(days=1) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else datetime.timedelta(seconds=1)
        return start.strftime("%Y-%m-%dT%H:%M:%SZ"), (start + length).strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(sql: str, value: Value) -> Compiled:
    return Compiled(f"words_match({sql}, ?, ?)", (value.text, int(value.prefix)))


def _texts(sql: str, term: Term) -> Compiled:
    if term.operator == "[]" and term.upper is not None:
        return Compiled(f"{sql} BETWEEN ? AND ?", (term.value.text, term.upper.text))
    operator = "=" if term.operator == ":" else term.operator
    if operator == "=" and term.value.prefix:
        return Compiled(f"substr({sql}, 1, ?) = ?", (len(term.value.text), term.value.text))
    if operator == "=":
        return Compiled(f"{sql} = ? COLLATE NOCASE", (term.value.text,))
    return Compiled(f"{sql} {operator} ?", (term.value.text,))


def _folder(sql: str, term: Term) -> Compiled:
    """Compile a folder: ``a`` matches the folder itself, ``a/*`` also its subfolders."""
    text = term.value.text.strip("/")
    if not term.value.prefix:
        return Compiled(f"{sql} = ?", (text,))
    if term.value.text.endswith("/"):
        return Compiled(f"({sql} = ? OR substr({sql}, 1, ?) = ?)", (text, len(text) + 1, text + "/"))
    return Compiled(f"substr({sql}, 1, ?) = ?", (len(text), text))


def _exists(source: str, column: str, value: Value, *, words: bool = False) -> Compiled:
    if words:
        return Compiled(f"EXISTS ({source} WHERE words_match({column}, ?, ?))", (value.text, int(value.prefix)))
    if value.prefix:
        return Compiled(f"EXISTS ({source} WHERE substr({column}, 1, ?) = ?)", (len(value.text), value.text))
    return Compiled(f"EXISTS ({source} WHERE {column} = ?)", (value.text,))
