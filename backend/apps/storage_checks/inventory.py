"""List what storage holds, page by page, into an SQLite file, so that a listing can be resumed.

Listing 100,000 tickets takes 400 calls of the 500 that a free account has in an hour; one call for each file would
take 400 hours.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from apps.storage import gateway

MAX_AGE_SECONDS: Final = 24 * 3600  # a listing that started earlier is out of date
ROOT: Final = "tickets/"

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS about (account TEXT NOT NULL, began REAL NOT NULL);
CREATE TABLE IF NOT EXISTS listing (
    resource_type TEXT, delivery_type TEXT, prefix TEXT,
    cursor TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (resource_type, delivery_type, prefix)
);
CREATE TABLE IF NOT EXISTS file (
    resource_type TEXT, delivery_type TEXT, public_id TEXT, version INTEGER, size INTEGER, etag TEXT, tags TEXT,
    PRIMARY KEY (public_id, resource_type, delivery_type)
) WITHOUT ROWID;
"""


class Inventory:
    """The files of one account below `tickets/`, of every resource and delivery type. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open the file. Resume the listing in it, unless that is complete, too old, or of another account."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        if self._one("PRAGMA user_version") != _SCHEMA_VERSION:  # written by another version
            drop = "".join(f"DROP TABLE IF EXISTS {table};" for table in _TABLES)
            self._database.executescript(f"{drop} PRAGMA user_version = {_SCHEMA_VERSION};")
        self._database.executescript(_SCHEMA)
        if not self._can_be_resumed():
            self._start()

    def __enter__(self) -> Inventory:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def started_at(self) -> datetime:
        """Return when the listing started. Later changes may not be in it."""
        return datetime.fromtimestamp(self._one("SELECT began FROM about"), UTC)

    @property
    def is_complete(self) -> bool:
        return not self._one("SELECT count(*) FROM listing WHERE NOT done")

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM file"))

    def list_remaining(self, on_page: Callable[[int], None] = lambda files: None) -> None:
        """List what is not listed yet. `on_page` is called after each page with the number of files so far.

        Raises MediaError if a call fails, and let errors of `on_page` through. The pages so far are kept.
        """
        columns = "resource_type, delivery_type, prefix, cursor"
        for listing in self._database.execute(f"SELECT {columns} FROM listing WHERE NOT done").fetchall():  # noqa: S608
            resource_type, delivery_type, prefix, cursor = listing
            while True:
                found, cursor, _ = gateway.list_files(
                    prefix, cursor, resource_type=resource_type, delivery_type=delivery_type
                )
                self._save_page(found, (cursor, not cursor, resource_type, delivery_type, prefix))
                on_page(len(self))
                if not cursor:
                    break

    def files(self, public_ids: Iterable[str]) -> dict[str, gateway.ListedFile]:
        """Return the files with these public ids, by public id, as far as they have the right type."""
        found = {}
        for public_id in public_ids:
            row = self._database.execute(f"{_SELECT} WHERE public_id = ? AND {_RIGHT}", (public_id, _type())).fetchone()
            if row is not None:
                found[public_id] = _listed(row)
        return found

    def in_place(self) -> Iterator[gateway.ListedFile]:
        """Yield the files with the resource type and delivery type of ticket files."""
        with closing(self._database.execute(f"{_SELECT} WHERE {_RIGHT}", (_type(),))) as rows:
            yield from map(_listed, rows)

    def misplaced(self) -> Iterator[gateway.ListedFile]:
        """Yield the files with another resource type or delivery type than ticket files."""
        with closing(self._database.execute(f"{_SELECT} WHERE NOT ({_RIGHT})", (_type(),))) as rows:
            yield from map(_listed, rows)

    def _can_be_resumed(self) -> bool:
        row = self._database.execute("SELECT account, began FROM about").fetchone()
        is_current = row is not None and row[0] == _account() and time.time() - row[1] < MAX_AGE_SECONDS
        return is_current and not self.is_complete

    def _start(self) -> None:
        with self._transaction():
            for table in _TABLES:
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 # our own names
            self._database.execute("INSERT INTO about VALUES (?, ?)", (_account(), time.time()))
            self._database.executemany(
                "INSERT INTO listing (resource_type, delivery_type, prefix) VALUES (?, ?, ?)",
                [(resource, delivery, ROOT) for resource in _RESOURCE_TYPES for delivery in _DELIVERY_TYPES],
            )

    def _save_page(self, found: Iterable[gateway.ListedFile], progress: tuple[object, ...]) -> None:
        rows = [
            (f.resource_type, f.delivery_type, f.public_id, f.version, f.size, f.etag, ",".join(sorted(f.tags)))
            for f in found
        ]
        with self._transaction():
            self._database.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._database.execute(
                "UPDATE listing SET cursor = ?, done = ? WHERE resource_type = ? AND delivery_type = ? AND prefix = ?",
                progress,
            )

    def _transaction(self) -> sqlite3.Connection:
        self._database.execute("BEGIN")
        return self._database  # as a context manager it commits, or rolls back

    def _one(self, query: str) -> float:
        value: float = self._database.execute(query).fetchone()[0]
        return value


_RESOURCE_TYPES: Final = ("image", "raw")
_DELIVERY_TYPES: Final = ("upload", "authenticated", "private")
_TABLES: Final = ("about", "listing", "file")
_SELECT: Final = "SELECT resource_type, delivery_type, public_id, version, size, etag, tags FROM file"
_RIGHT: Final = "resource_type = 'image' AND delivery_type = ?"


def _listed(row: tuple[Any, ...]) -> gateway.ListedFile:
    resource_type, delivery_type, public_id, version, size, etag, tags = row
    known = frozenset(filter(None, tags.split(",")))  # no tag has a comma in it
    return gateway.ListedFile(resource_type, delivery_type, public_id, version, size, etag, known)


def _type() -> str:
    return settings.CLOUDINARY_DELIVERY_TYPE


def _account() -> str:
    account = settings.CLOUDINARY_ACCOUNT
    return f"{account.cloud_name} {account.upload_prefix}"
