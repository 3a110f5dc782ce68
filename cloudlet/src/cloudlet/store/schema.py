"""The tables of the SQLite index, and the settings of its connections."""

import sqlite3
from pathlib import Path

from cloudlet.errors import ApiError
from cloudlet.search.compiler import register_functions

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS assets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id TEXT NOT NULL UNIQUE,
    resource_type TEXT NOT NULL,
    type TEXT NOT NULL,
    public_id TEXT NOT NULL,
    blob TEXT NOT NULL,
    format TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    etag TEXT NOT NULL,
    width INTEGER,
    height INTEGER,
    pages INTEGER,
    duration REAL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    original_filename TEXT NOT NULL,
    asset_folder TEXT NOT NULL,
    display_name TEXT NOT NULL,
    access_mode TEXT NOT NULL,
    backup INTEGER NOT NULL,
    placeholder INTEGER NOT NULL,
    tags TEXT NOT NULL,
    context TEXT NOT NULL,
    metadata TEXT NOT NULL,
    access_control TEXT NOT NULL,
    moderation TEXT NOT NULL,
    extra TEXT NOT NULL,
    UNIQUE (resource_type, type, public_id)
);
CREATE INDEX IF NOT EXISTS assets_folder ON assets (asset_folder);
CREATE INDEX IF NOT EXISTS assets_etag ON assets (etag);
CREATE TABLE IF NOT EXISTS asset_tags (
    id INTEGER NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (tag, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS asset_tags_id ON asset_tags (id);
CREATE TABLE IF NOT EXISTS version_floors (
    resource_type TEXT NOT NULL,
    type TEXT NOT NULL,
    public_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (resource_type, type, public_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS backups (
    version_id TEXT PRIMARY KEY,
    asset_id TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    type TEXT NOT NULL,
    public_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    blob TEXT NOT NULL,
    created_at TEXT NOT NULL,
    asset TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS backups_asset ON backups (asset_id, version);
CREATE TABLE IF NOT EXISTS derived (
    id TEXT PRIMARY KEY,
    asset_id TEXT NOT NULL REFERENCES assets (asset_id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    transformation TEXT NOT NULL,
    format TEXT NOT NULL,
    blob TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    etag TEXT NOT NULL,
    created_at TEXT NOT NULL,
    width INTEGER,
    height INTEGER,
    UNIQUE (asset_id, transformation, format)
);
CREATE TABLE IF NOT EXISTS folders (
    path TEXT PRIMARY KEY,
    external_id TEXT NOT NULL,
    created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relations (
    from_asset TEXT NOT NULL REFERENCES assets (asset_id) ON DELETE CASCADE,
    to_asset TEXT NOT NULL REFERENCES assets (asset_id) ON DELETE CASCADE,
    PRIMARY KEY (from_asset, to_asset)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a connection in autocommit mode. On a writable one, every commit is synced to disk."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    register_functions(connection)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def create(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables. Raises ApiError if another version of cloudlet wrote the file."""
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, SCHEMA_VERSION):
        raise ApiError(500, f"{path} was written by another version of cloudlet (schema {found}); use another --data")
    connection.executescript(SCHEMA)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
