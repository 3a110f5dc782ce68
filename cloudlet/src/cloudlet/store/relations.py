"""Which assets are related to which. A relation holds both ways."""

import sqlite3

from cloudlet.model import Asset
from cloudlet.store.rows import asset_from_row
from cloudlet.store.writer import Transaction


def of(connection: sqlite3.Connection, asset_id: str) -> list[Asset]:
    rows = connection.execute(
        "SELECT assets.* FROM relations JOIN assets ON assets.asset_id = to_asset"
        " WHERE from_asset = ? ORDER BY public_id",
        (asset_id,),
    )
    return [asset_from_row(row) for row in rows]


def add(transaction: Transaction, one: str, other: str) -> bool:
    """False when they were related already."""
    inserted = transaction.execute("INSERT OR IGNORE INTO relations VALUES (?, ?)", (one, other)).rowcount > 0
    transaction.execute("INSERT OR IGNORE INTO relations VALUES (?, ?)", (other, one))
    return inserted


def remove(transaction: Transaction, one: str, other: str) -> bool:
    """False when they were not related."""
    removed = (
        transaction.execute("DELETE FROM relations WHERE from_asset = ? AND to_asset = ?", (one, other)).rowcount > 0
    )
    transaction.execute("DELETE FROM relations WHERE from_asset = ? AND to_asset = ?", (other, one))
    return removed
