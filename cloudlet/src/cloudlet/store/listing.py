"""List assets page by page. A cursor is the opaque position of the last row of a page."""

import base64
import binascii
import json
import sqlite3
from collections.abc import Sequence

from cloudlet.errors import bad_request
from cloudlet.model import Asset, Json
from cloudlet.store.rows import asset_from_row


def encode_cursor(position: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def decode_cursor(cursor: str) -> Json:
    """Return the position that a cursor encodes. Raises ApiError 400 if it is malformed."""
    try:
        return json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError) as error:
        raise bad_request("Invalid value for next_cursor") from error


def page(
    connection: sqlite3.Connection,
    where: Sequence[str] = (),
    parameters: Sequence[Json] = (),
    *,
    order: Sequence[tuple[str, str]] = (("created_at", "desc"),),
    limit: int = 10,
    cursor: str = "",
) -> tuple[list[Asset], str]:
    """Return at most ``limit`` assets that match all ``where`` clauses, and the cursor of the next page or "".

    ``order`` holds pairs of an SQL expression and "asc" or "desc". The row id is the last key, in the direction of the
    first expression, which makes the order total. Clauses and expressions come from code, never from a request. Raises
    ApiError 400 if the cursor is invalid.
    """
    direction = order[0][1] if order else "desc"
    keys = [*order, ("assets.id", direction)]
    clauses, values = ["NOT placeholder", *where], list(parameters)
    if cursor:
        clause, cursor_values = _after(keys, decode_cursor(cursor))
        clauses.append(clause)
        values += cursor_values
    columns = "".join(f", {expression} AS _key{number}" for number, (expression, _) in enumerate(keys))
    ordering = ", ".join(f"{expression} {way}" for expression, way in keys)
    condition = " AND ".join(clauses)
    rows = connection.execute(
        f"SELECT assets.*{columns} FROM assets WHERE {condition} ORDER BY {ordering} LIMIT ?",  # noqa: S608 - from code
        (*values, limit + 1),
    ).fetchall()
    following = ""
    if len(rows) > limit:
        last = rows[limit - 1]
        following = encode_cursor([last[f"_key{number}"] for number in range(len(keys))])
    return [asset_from_row(row) for row in rows[:limit]], following


def _after(keys: Sequence[tuple[str, str]], position: Json) -> tuple[str, list[Json]]:
    """Return SQL for "sorts after ``position``", and its values (keyset pagination).

    SQLite sorts NULLs first. IS compares them as equal.
    """
    if not isinstance(position, list) or len(position) != len(keys):
        raise bad_request("Invalid value for next_cursor")
    if any(isinstance(value, list | dict) for value in position):
        raise bad_request("Invalid value for next_cursor")
    options, values = [], []
    for number, (expression, way) in enumerate(keys):
        same = [f"{earlier} IS ?" for earlier, _ in keys[:number]]
        value = position[number]
        if value is None:
            later, own = (f"{expression} IS NOT NULL", []) if way == "asc" else ("0", [])
        elif way == "asc":
            later, own = f"{expression} > ?", [value]
        else:
            later, own = f"({expression} < ? OR {expression} IS NULL)", [value]
        options.append(" AND ".join([*same, later]))
        values += [*position[:number], *own]
    return "(" + " OR ".join(f"({option})" for option in options) + ")", values


def count(connection: sqlite3.Connection, where: Sequence[str] = (), parameters: Sequence[Json] = ()) -> int:
    """Return the number of assets, without placeholders, that match all ``where`` clauses."""
    condition = " AND ".join(["NOT placeholder", *where])
    sql = f"SELECT count(*) FROM assets WHERE {condition}"  # noqa: S608 - clauses come from code
    total: int = connection.execute(sql, tuple(parameters)).fetchone()[0]
    return total


def prefix_clause(prefix: str, column: str = "public_id") -> tuple[str, list[Json]]:
    """Return SQL that matches a prefix, and its values. Unlike LIKE, the range that it compares with uses an index."""
    return f"({column} >= ? AND {column} < ?)", [prefix, prefix + "\U0010ffff"]
