"""Relations between assets. They are symmetric."""

import sqlite3

from cloudlet.model import Asset
from cloudlet.store.rows import asset_from_row
from cloudlet.store.writer import Transaction


def related_assets(connection: sqlite3.Connection, asset_id: str) -> list[Asset]:
    rows = connection.execute(
        "SELECT assets.* FROM relations JOIN assets ON assets.asset_id = to_asset"
        " WHERE from_asset = ? ORDER BY public_id",
        (asset_id,),
    )
    return [asset_from_row(row) for row in rows]


def add(transaction: Transaction, one: str, other: str) -> bool:
    """Relate two assets. Return False if they were related already."""
    inserted = transaction.execute("INSERT OR IGNORE INTO relations VALUES (?, ?)", (one, other)).rowcount > 0
    transaction.execute("INSERT OR IGNORE INTO relations VALUES (?, ?)", (other, one))
    return inserted


def remove(transaction: Transaction, one: str, other: str) -> bool:
    """Remove the relation of two assets. Return False if they were not related."""
    removed = (
        transaction.execute("DELETE FROM relations WHERE from_asset = ? AND to_asset = ?", (one, other)).rowcount > 0
    )
    transaction.execute("DELETE FROM relations WHERE from_asset = ? AND to_asset = ?", (other, one))
    return removed
