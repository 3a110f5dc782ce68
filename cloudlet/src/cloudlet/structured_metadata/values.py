"""Metadata values on assets: checked, completed by defaults, and shaped by rules."""

import sqlite3
from collections.abc import Mapping

from cloudlet.errors import ApiError, bad_request
from cloudlet.model import Json
from cloudlet.store import documents
from cloudlet.structured_metadata import rules
from cloudlet.structured_metadata.definitions import KIND
from cloudlet.structured_metadata.validation import normalised


def merged(
    connection: sqlite3.Connection,
    current: Mapping[str, Json],
    given: Mapping[str, Json],
    *,
    clear_invalid: bool = False,
) -> dict[str, Json]:
    """``current`` values with ``given`` over them; an empty value removes the field.

    Raises 400 for unknown fields and for values that their field does not allow. With ``clear_invalid``, values
    that have become invalid since they were set are dropped.
    """
    fields = {field["external_id"]: field for field in documents.list_all(connection, KIND)}
    result = dict(current)
    for external_id, value in given.items():
        if external_id not in fields:
            raise bad_request(f"Metadata field {external_id} does not exist")
        if value in ("", None, []):
            result.pop(external_id, None)
        else:
            result[external_id] = normalised(fields[external_id], value)
    if clear_invalid:
        result = {name: value for name, value in result.items() if name in fields and _is_valid(fields[name], value)}
    return rules.applied(connection, result)


def for_new_asset(connection: sqlite3.Connection, given: Mapping[str, Json]) -> dict[str, Json]:
    """The values of a fresh upload: what was given, then defaults; 400 when a mandatory field stays empty."""
    fields = documents.list_all(connection, KIND)
    if not fields and not given:
        return {}
    defaults = {
        field["external_id"]: field["default_value"]
        for field in fields
        if field["default_value"] is not None and not field["default_disabled"]
    }
    result = merged(connection, defaults, given)
    missing = [field["external_id"] for field in fields if field["mandatory"] and field["external_id"] not in result]
    if missing:
        raise bad_request(f"Missing mandatory metadata fields: {', '.join(missing)}")
    return result


def _is_valid(field: Mapping[str, Json], value: Json) -> bool:
    try:
        normalised(field, value)
    except ApiError:
        return False
    return True
