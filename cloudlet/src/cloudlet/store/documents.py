"""Named JSON documents: presets, mappings, transformations, metadata fields and rules, triggers, chunk sessions."""

import json
import sqlite3

from cloudlet.model import Json
from cloudlet.store.writer import Transaction


def find(connection: sqlite3.Connection, kind: str, key: str) -> dict[str, Json] | None:
    row = connection.execute("SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)).fetchone()
    body: dict[str, Json] | None = json.loads(row["body"]) if row else None
    return body


def list_all(connection: sqlite3.Connection, kind: str) -> list[dict[str, Json]]:
    """Return all documents of a kind, ordered by position."""
    rows = connection.execute("SELECT body FROM documents WHERE kind = ? ORDER BY position, key", (kind,))
    return [json.loads(row["body"]) for row in rows]


def save(transaction: Transaction, kind: str, key: str, body: dict[str, Json], position: int | None = None) -> None:
    """Insert or replace a document. Unless ``position`` is given, a new one is added at the end."""
    if position is None:
        row = transaction.execute(
            "SELECT coalesce((SELECT position FROM documents WHERE kind = ? AND key = ?),"
            " (SELECT max(position) + 1 FROM documents WHERE kind = ?), 0)",
            (kind, key, kind),
        ).fetchone()
        position = row[0]
    transaction.execute(
        "INSERT OR REPLACE INTO documents (kind, key, position, body) VALUES (?, ?, ?, ?)",
        (kind, key, position, json.dumps(body, ensure_ascii=False)),
    )


def delete(transaction: Transaction, kind: str, key: str) -> bool:
    """Delete a document. Return False if there is none of that key."""
    return transaction.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key)).rowcount > 0
