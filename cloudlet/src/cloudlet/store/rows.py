"""Convert rows of the index to :class:`~cloudlet.model.Asset` values and back."""

import dataclasses
import json
import sqlite3
from typing import Any

from cloudlet.model import Asset, Derived

_JSON_FIELDS = frozenset({"tags", "context", "metadata", "access_control", "moderation", "extra"})
_FLAGS = frozenset({"backup", "placeholder"})
ASSET_COLUMNS = tuple(field.name for field in dataclasses.fields(Asset))
DERIVED_COLUMNS = tuple(field.name for field in dataclasses.fields(Derived))

_NAMES = ", ".join(ASSET_COLUMNS)
_VALUES = ", ".join(f":{name}" for name in ASSET_COLUMNS)
_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in ASSET_COLUMNS if name != "asset_id")
UPSERT_ASSET = (
    f"INSERT INTO assets ({_NAMES}) VALUES ({_VALUES}) ON CONFLICT (asset_id) DO UPDATE SET {_UPDATES} RETURNING id"  # noqa: S608 - column names only
)


def asset_from_row(row: sqlite3.Row) -> Asset:
    values: dict[str, Any] = {}
    for name in ASSET_COLUMNS:
        value = row[name]
        if name in _JSON_FIELDS:
            value = json.loads(value)
        elif name in _FLAGS:
            value = bool(value)
        values[name] = value
    return Asset(**values)


def asset_to_row(asset: Asset) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in ASSET_COLUMNS:
        value = getattr(asset, name)
        row[name] = _encode_json(value) if name in _JSON_FIELDS else value
    return row


def _encode_json(value: Any) -> str:
    if not value:
        return (
            "[]" if isinstance(value, list) else "{}"
        )  # fast path: most are empty, and json.dumps makes an encoder for each call
    return json.dumps(value, ensure_ascii=False)


def derived_from_row(row: sqlite3.Row) -> Derived:
    return Derived(**{name: row[name] for name in DERIVED_COLUMNS})
