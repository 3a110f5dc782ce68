"""Derived files. Each belongs to one version of an asset and is deleted when the asset changes."""

import secrets
import sqlite3

from cloudlet.model import Asset, Derived, now_iso
from cloudlet.store.rows import DERIVED_COLUMNS, derived_from_row
from cloudlet.store.writer import Transaction

_INSERT = (
    f"INSERT INTO derived ({', '.join(DERIVED_COLUMNS)})"  # noqa: S608 - column names only
    f" VALUES ({', '.join(':' + name for name in DERIVED_COLUMNS)})"
)


def find(connection: sqlite3.Connection, asset: Asset, transformation: str, format_: str) -> Derived | None:
    """Return the derived file of the current version of an asset, or None."""
    row = connection.execute(
        "SELECT * FROM derived WHERE asset_id = ? AND transformation = ? AND format = ? AND version = ?",
        (asset.asset_id, transformation, format_, asset.version),
    ).fetchone()
    return derived_from_row(row) if row else None


def of_asset(connection: sqlite3.Connection, asset_id: str, *, after: str = "", limit: int = 500) -> list[Derived]:
    """Return a page of the derived files of an asset, ordered by id, with those after the id ``after``."""
    rows = connection.execute(
        "SELECT * FROM derived WHERE asset_id = ? AND id > ? ORDER BY id LIMIT ?", (asset_id, after, limit)
    )
    return [derived_from_row(row) for row in rows]


def save(transaction: Transaction, derived: Derived) -> Derived | None:
    """Save a derived file, replacing an earlier one. Return None if its asset was changed or deleted meanwhile."""
    row = transaction.execute("SELECT version FROM assets WHERE asset_id = ?", (derived.asset_id,)).fetchone()
    if row is None or row["version"] != derived.version:
        transaction.discard(derived.blob)
        return None
    key = (derived.asset_id, derived.transformation, derived.format)
    older = transaction.execute(
        "SELECT blob FROM derived WHERE asset_id = ? AND transformation = ? AND format = ?", key
    ).fetchone()
    if older:
        transaction.discard(older["blob"])
        transaction.execute("DELETE FROM derived WHERE asset_id = ? AND transformation = ? AND format = ?", key)
    transaction.execute(_INSERT, {name: getattr(derived, name) for name in DERIVED_COLUMNS})
    return derived


def trim(transaction: Transaction, max_bytes: int) -> int:
    """Delete the oldest derived files until the rest fit into ``max_bytes``. Return how many were deleted."""
    rows = transaction.execute("SELECT id, bytes, blob FROM derived ORDER BY created_at DESC, rowid DESC").fetchall()
    kept, removed = 0, 0
    for row in rows:
        kept += row["bytes"]
        if kept > max_bytes:
            transaction.execute("DELETE FROM derived WHERE id = ?", (row["id"],))
            transaction.discard(row["blob"])
            removed += 1
    return removed


def new(asset: Asset, transformation: str, format_: str, size: int, etag: str) -> Derived:
    """Return a record without a blob, which :meth:`Store.put_derived` adds."""
    return Derived(
        id=secrets.token_hex(16),
        asset_id=asset.asset_id,
        version=asset.version,
        transformation=transformation,
        format=format_,
        blob="",
        bytes=size,
        etag=etag,
        created_at=now_iso(),
    )


def delete(transaction: Transaction, id_: str) -> bool:
    """Delete one derived file. Return False if there is none of that id."""
    row = transaction.execute("DELETE FROM derived WHERE id = ? RETURNING blob", (id_,)).fetchone()
    if row is not None:
        transaction.discard(row["blob"])
    return row is not None
