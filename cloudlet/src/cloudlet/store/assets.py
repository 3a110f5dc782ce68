"""Find and write single assets. Writers take a transaction, readers a connection."""

import dataclasses
import json
import sqlite3
import time
from collections.abc import Callable, Sequence

from cloudlet.model import Asset, now_iso
from cloudlet.store import folders
from cloudlet.store.rows import UPSERT_ASSET, asset_from_row, asset_to_row
from cloudlet.store.writer import Transaction


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """The result of `put`.

    `existing` is set if an asset of that name was kept, `overwritten` if one was replaced.
    """

    asset: Asset
    existing: bool = False
    overwritten: bool = False


_BY_KEY = "SELECT * FROM assets WHERE resource_type = ? AND type = ? AND public_id = ?"


def find(connection: sqlite3.Connection, resource_type: str, type_: str, public_id: str) -> Asset | None:
    """Return the asset of that identity, or None. It may be the placeholder of a deleted asset."""
    row = connection.execute(_BY_KEY, (resource_type, type_, public_id)).fetchone()
    return asset_from_row(row) if row else None


def find_by_asset_id(connection: sqlite3.Connection, asset_id: str) -> Asset | None:
    row = connection.execute("SELECT * FROM assets WHERE asset_id = ?", (asset_id,)).fetchone()
    return asset_from_row(row) if row else None


def next_version(transaction: Transaction, key: tuple[str, str, str], current: int = 0) -> int:
    """Return the next version of a name: seconds since the epoch, but above all versions that the name has had."""
    return max(int(time.time()), current + 1, _version_floor(transaction, key) + 1)


def _version_floor(transaction: Transaction, key: tuple[str, str, str]) -> int:
    row = transaction.execute(
        "SELECT version FROM version_floors WHERE resource_type = ? AND type = ? AND public_id = ?", key
    ).fetchone()
    return row[0] if row else 0


def _remember_version(transaction: Transaction, asset: Asset) -> None:
    """Remember the version of a name that is given up, until the clock has passed it.

    Versions can be ahead of the clock, since an asset may be overwritten several times in one second.
    """
    transaction.execute("DELETE FROM version_floors WHERE version < ?", (int(time.time()),))
    transaction.execute("INSERT OR REPLACE INTO version_floors VALUES (?, ?, ?, ?)", (*asset.key, asset.version))


def move(transaction: Transaction, asset: Asset, type_: str, public_id: str) -> None:
    """Rename an asset, with a higher version than the new name ever had. The caller saves it."""
    _remember_version(transaction, asset)
    asset.type, asset.public_id = type_, public_id
    floor = _version_floor(transaction, asset.key)
    if asset.version <= floor:
        asset.version = floor + 1
        drop_derived(transaction, asset.asset_id)


def put(
    transaction: Transaction,
    asset: Asset,
    blob: str,
    *,
    overwrite: bool,
    complete: Callable[[Transaction, Asset], None] | None = None,
) -> Stored:
    """Save an asset with its bytes under its name, as the next version of that name, and create its folder.

    An existing asset of that name is replaced, and passes on its asset id and creation date. Without ``overwrite``, it
    is kept and ``blob`` is discarded, unless it is the placeholder of a deleted asset. ``complete`` is called with the
    asset just before it is saved.
    """
    existing = find(transaction.connection, *asset.key)
    if existing is not None and not existing.placeholder and not overwrite:
        transaction.discard(blob)
        return Stored(existing, existing=True)
    if existing is not None:
        retire_bytes(transaction, existing)
        asset.asset_id, asset.created_at = existing.asset_id, existing.created_at
    asset.blob = blob
    asset.version = next_version(transaction, asset.key, existing.version if existing else 0)
    if complete is not None:
        complete(transaction, asset)
    folders.ensure(transaction, asset.asset_folder)
    save(transaction, asset)
    return Stored(asset, overwritten=existing is not None and not existing.placeholder)


def save(transaction: Transaction, asset: Asset) -> Asset:
    """Insert or update the row of ``asset.asset_id`` and its rows in the tag index."""
    asset.tags = sorted(set(asset.tags))
    asset.updated_at = now_iso()
    row_id = transaction.execute(UPSERT_ASSET, asset_to_row(asset)).fetchone()[0]
    transaction.execute("DELETE FROM asset_tags WHERE id = ?", (row_id,))
    for tag in asset.tags:
        transaction.execute("INSERT INTO asset_tags (id, tag) VALUES (?, ?)", (row_id, tag))
    return asset


def drop_derived(transaction: Transaction, asset_id: str, *, transformations: Sequence[str] | None = None) -> int:
    """Delete the derived files of an asset, all or those of the given transformations. Return their number."""
    rows = transaction.execute(
        "SELECT id, transformation, blob FROM derived WHERE asset_id = ?", (asset_id,)
    ).fetchall()
    deleted = [row for row in rows if transformations is None or row["transformation"] in transformations]
    for row in deleted:
        transaction.execute("DELETE FROM derived WHERE id = ?", (row["id"],))
        transaction.discard(row["blob"])
    return len(deleted)


def retire_bytes(transaction: Transaction, asset: Asset) -> None:
    """Move an asset's bytes to its backups if it keeps any, else discard them. Call it before replacing the bytes."""
    drop_derived(transaction, asset.asset_id)
    if not asset.is_backed_up:
        transaction.discard(asset.blob)
        return
    transaction.execute(
        "INSERT INTO backups (version_id, asset_id, resource_type, type, public_id, version, blob, created_at, asset)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            asset.version_id,
            asset.asset_id,
            *asset.key,
            asset.version,
            asset.blob,
            now_iso(),
            json.dumps(asset_to_row(asset)),
        ),
    )


def delete(transaction: Transaction, asset: Asset) -> None:
    """Delete an asset. If it keeps backups, it stays as a placeholder of zero bytes that can be restored."""
    retire_bytes(transaction, asset)
    if asset.is_backed_up:
        asset.placeholder = True
        asset.blob, asset.bytes, asset.etag = "", 0, ""
        save(transaction, asset)
        return
    _delete_row(transaction, asset)


def remove(transaction: Transaction, asset: Asset) -> None:
    """Delete an asset so that another can take its name. Its backups stay under its asset id."""
    retire_bytes(transaction, asset)
    _delete_row(transaction, asset)


def _delete_row(transaction: Transaction, asset: Asset) -> None:
    _remember_version(transaction, asset)
    transaction.execute("DELETE FROM assets WHERE asset_id = ?", (asset.asset_id,))
