"""Folders. Saving an asset creates its folder, which stays until it is deleted."""

import secrets
import sqlite3

from cloudlet.model import now_iso
from cloudlet.store.listing import prefix_clause
from cloudlet.store.writer import Transaction


def ancestors(path: str) -> list[str]:
    """Return the path and its parents: for ``a/b/c``, ``a``, ``a/b`` and ``a/b/c``."""
    segments = path.split("/") if path else []
    return ["/".join(segments[:count]) for count in range(1, len(segments) + 1)]


def ensure(transaction: Transaction, path: str) -> None:
    """Create ``path`` and its parents if they are missing."""
    if not path or exists(transaction.connection, path):
        return
    for folder in ancestors(path):
        transaction.execute(
            "INSERT OR IGNORE INTO folders (path, external_id, created_at) VALUES (?, ?, ?)",
            (folder, secrets.token_hex(16), now_iso()),
        )


def exists(connection: sqlite3.Connection, path: str) -> bool:
    return connection.execute("SELECT 1 FROM folders WHERE path = ?", (path,)).fetchone() is not None


def children(connection: sqlite3.Connection, parent: str) -> list[sqlite3.Row]:
    """Return the folders directly in ``parent`` ("" for the root), ordered by name."""
    clause, values = prefix_clause(f"{parent}/" if parent else "", "path")
    sql = f"SELECT * FROM folders WHERE {clause} ORDER BY path"  # noqa: S608 - the clause comes from code
    rows = connection.execute(sql, values)
    depth = parent.count("/") + 1 if parent else 0
    return [row for row in rows if row["path"].count("/") == depth]


def under(connection: sqlite3.Connection, path: str) -> list[str]:
    """Return ``path`` and all folders below it."""
    clause, values = prefix_clause(path + "/", "path")
    sql = f"SELECT path FROM folders WHERE path = ? OR {clause}"  # noqa: S608 - the clause comes from code
    rows = connection.execute(sql, (path, *values))
    return [row["path"] for row in rows]
