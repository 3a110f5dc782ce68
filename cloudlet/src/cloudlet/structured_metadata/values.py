"""Compute the metadata values of assets: check them, add defaults and apply the rules."""

import sqlite3
from collections.abc import Mapping

from cloudlet.errors import ApiError, bad_request
from cloudlet.model import Json
from cloudlet.store import documents
from cloudlet.structured_metadata import rules
from cloudlet.structured_metadata.definitions import KIND
from cloudlet.structured_metadata.validation import normalise


def merge(
    connection: sqlite3.Connection,
    current: Mapping[str, Json],
    given: Mapping[str, Json],
    *,
    clear_invalid: bool = False,
) -> dict[str, Json]:
    """Return ``current`` values updated with ``given`` ones. An empty value removes the field.

    With ``clear_invalid``, existing values that are not valid any more are removed. Raises ApiError 400 for unknown
    fields and invalid values.
    """
    fields = {field["external_id"]: field for field in documents.list_all(connection, KIND)}
    result = dict(current)
    for external_id, value in given.items():
        if external_id not in fields:
            raise bad_request(f"Metadata field {external_id} does not exist")
        if value in ("", None, []):
            result.pop(external_id, None)
        else:
            result[external_id] = normalise(fields[external_id], value)
    if clear_invalid:
        result = {name: value for name, value in result.items() if name in fields and _is_valid(fields[name], value)}
    return rules.apply(connection, result)


def for_new_asset(connection: sqlite3.Connection, given: Mapping[str, Json]) -> dict[str, Json]:
    """Return the given values and the defaults of other fields. Raises ApiError 400 if a mandatory field is empty."""
    fields = documents.list_all(connection, KIND)
    if not fields and not given:
        return {}
    defaults = {
        field["external_id"]: field["default_value"]
        for field in fields
        if field["default_value"] is not None and not field["default_disabled"]
    }
    result = merge(connection, defaults, given)
    missing = [field["external_id"] for field in fields if field["mandatory"] and field["external_id"] not in result]
    if missing:
        raise bad_request(f"Missing mandatory metadata fields: {', '.join(missing)}")
    return result


def _is_valid(field: Mapping[str, Json], value: Json) -> bool:
    try:
        normalise(field, value)
    except ApiError:
        return False
    return True
