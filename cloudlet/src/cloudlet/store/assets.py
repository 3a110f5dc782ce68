"""Writing and finding single assets. Writers take a transaction, readers a connection."""

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
    """The asset of a name after `put`, whether it was there before and stays, and whether it was overwritten."""

    asset: Asset
    existing: bool = False
    overwritten: bool = False


_BY_KEY = "SELECT * FROM assets WHERE resource_type = ? AND type = ? AND public_id = ?"


def find(connection: sqlite3.Connection, resource_type: str, type_: str, public_id: str) -> Asset | None:
    row = connection.execute(_BY_KEY, (resource_type, type_, public_id)).fetchone()
    return asset_from_row(row) if row else None


def find_by_asset_id(connection: sqlite3.Connection, asset_id: str) -> Asset | None:
    row = connection.execute("SELECT * FROM assets WHERE asset_id = ?", (asset_id,)).fetchone()
    return asset_from_row(row) if row else None


def next_version(transaction: Transaction, key: tuple[str, str, str], current: int = 0) -> int:
    """Seconds since the epoch, but always above every version that this id ever had."""
    return max(int(time.time()), current + 1, _floor(transaction, key) + 1)


def _floor(transaction: Transaction, key: tuple[str, str, str]) -> int:
    row = transaction.execute(
        "SELECT version FROM version_floors WHERE resource_type = ? AND type = ? AND public_id = ?", key
    ).fetchone()
    return row[0] if row else 0


def _raise_floor(transaction: Transaction, asset: Asset) -> None:
    """Remembers the version of a name that is given up, for as long as the clock could fall behind it."""
    transaction.execute("DELETE FROM version_floors WHERE version < ?", (int(time.time()),))
    transaction.execute("INSERT OR REPLACE INTO version_floors VALUES (?, ?, ?, ?)", (*asset.key, asset.version))


def move(transaction: Transaction, asset: Asset, type_: str, public_id: str) -> None:
    """Gives an asset another name, under which versions keep growing too. The caller saves it."""
    _raise_floor(transaction, asset)
    asset.type, asset.public_id = type_, public_id
    floor = _floor(transaction, asset.key)
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
    """Store an asset with its bytes under its name, as the next version there, and its folders with it.

    It takes over the asset id and the date of one that has the name already. Without ``overwrite`` that one stays as
    it is, unless it is the placeholder of a deleted one, and ``blob`` is discarded. ``complete`` is called with an
    asset that is about to be saved.
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
    """Inserts or updates the row of ``asset.asset_id`` and its tag index."""
    asset.tags = sorted(set(asset.tags))
    asset.updated_at = now_iso()
    row_id = transaction.execute(UPSERT_ASSET, asset_to_row(asset)).fetchone()[0]
    transaction.execute("DELETE FROM asset_tags WHERE id = ?", (row_id,))
    for tag in asset.tags:
        transaction.execute("INSERT INTO asset_tags (id, tag) VALUES (?, ?)", (row_id, tag))
    return asset


def drop_derived(transaction: Transaction, asset_id: str, *, transformations: Sequence[str] | None = None) -> int:
    """Forgets derived files of an asset, all or those of the given transformations."""
    rows = transaction.execute(
        "SELECT id, transformation, blob FROM derived WHERE asset_id = ?", (asset_id,)
    ).fetchall()
    doomed = [row for row in rows if transformations is None or row["transformation"] in transformations]
    for row in doomed:
        transaction.execute("DELETE FROM derived WHERE id = ?", (row["id"],))
        transaction.discard(row["blob"])
    return len(doomed)


def retire_bytes(transaction: Transaction, asset: Asset) -> None:
    """Called before an asset's bytes are replaced or deleted: to the backups when it keeps them, else away."""
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
    """Removes an asset. One with backups stays as a placeholder of zero bytes that can be restored."""
    retire_bytes(transaction, asset)
    if asset.is_backed_up:
        asset.placeholder = True
        asset.blob, asset.bytes, asset.etag = "", 0, ""
        save(transaction, asset)
        return
    _forget(transaction, asset)


def remove(transaction: Transaction, asset: Asset) -> None:
    """Removes an asset whose name is about to be taken by another; its backups stay under its asset id."""
    retire_bytes(transaction, asset)
    _forget(transaction, asset)


def _forget(transaction: Transaction, asset: Asset) -> None:
    _raise_floor(transaction, asset)
    transaction.execute("DELETE FROM assets WHERE asset_id = ?", (asset.asset_id,))
