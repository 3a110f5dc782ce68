"""Versions of assets that keep backups. The current version counts as one, but its bytes are stored only once."""

import dataclasses
import json
import sqlite3

from cloudlet.model import Asset, Json
from cloudlet.store.assets import find_by_asset_id, next_version, retire_bytes, save
from cloudlet.store.writer import Transaction


def of_asset(connection: sqlite3.Connection, asset_id: str) -> list[sqlite3.Row]:
    """Return the backups of an asset, oldest first."""
    return connection.execute("SELECT * FROM backups WHERE asset_id = ? ORDER BY version", (asset_id,)).fetchall()


def list_versions(connection: sqlite3.Connection, asset: Asset) -> list[dict[str, Json]]:
    """Return all restorable versions of an asset in the format of the Admin API, oldest first."""
    versions = []
    for row in of_asset(connection, asset.asset_id):
        earlier = json.loads(row["asset"])
        versions.append(
            _version_entry(row["version_id"], row["version"], earlier["format"], earlier["bytes"], row["created_at"])
        )
    if asset.is_backed_up:
        versions.append(_version_entry(asset.version_id, asset.version, asset.format, asset.bytes, asset.updated_at))
    return versions


def _version_entry(version_id: str, version: int, format_: str, size: int, time: str) -> dict[str, Json]:
    return {
        "version_id": version_id,
        "version": str(version),
        "format": format_,
        "size": size,
        "time": time,
        "restorable": True,
    }


def latest(connection: sqlite3.Connection, asset_id: str, version_id: str = "") -> sqlite3.Row | None:
    """Return the newest backup of an asset, or the one with ``version_id``, or None."""
    rows = reversed(of_asset(connection, asset_id))
    return next((row for row in rows if not version_id or row["version_id"] == version_id), None)


def asset_at_version(connection: sqlite3.Connection, asset: Asset, version_id: str) -> Asset | None:
    """Return a read-only copy of the asset that refers to the bytes of a backup, or None if there is no such backup."""
    backup = latest(connection, asset.asset_id, version_id)
    if backup is None:
        return None
    earlier = json.loads(backup["asset"])
    kept = {name: earlier[name] for name in ("format", "bytes", "etag", "created_at")}
    return dataclasses.replace(asset, blob=backup["blob"], **kept)


def restore(transaction: Transaction, asset: Asset, backup: sqlite3.Row) -> Asset:
    """Restore the bytes of a backup under the asset's current name, as a new version."""
    current = find_by_asset_id(transaction.connection, asset.asset_id) or asset
    retire_bytes(transaction, current)
    earlier = json.loads(backup["asset"])
    for name in ("format", "bytes", "etag", "width", "height", "pages", "duration"):
        setattr(current, name, earlier[name])
    current.blob, current.placeholder = backup["blob"], False
    current.version = next_version(transaction, current.key, current.version)
    transaction.execute("DELETE FROM backups WHERE version_id = ?", (backup["version_id"],))
    return save(transaction, current)


def delete(transaction: Transaction, asset_id: str, version_ids: list[str]) -> list[str]:
    """Delete backups and return the ids of the deleted ones. The bytes of the asset itself are kept."""
    deleted = []
    for row in of_asset(transaction.connection, asset_id):
        if row["version_id"] in version_ids:
            transaction.execute("DELETE FROM backups WHERE version_id = ?", (row["version_id"],))
            transaction.discard(row["blob"])
            deleted.append(row["version_id"])
    asset = find_by_asset_id(transaction.connection, asset_id)
    if asset is not None and asset.is_backed_up and asset.version_id in version_ids:
        asset.backup = False
        save(transaction, asset)
        deleted.append(asset.version_id)
    return deleted
