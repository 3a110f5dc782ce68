"""Create and change the definitions of metadata fields.

Their structure is described at
https://cloudinary.com/documentation/admin_api#generic_structure_of_a_metadata_field
"""

import re
import sqlite3
from collections.abc import Mapping

from cloudlet.errors import ApiError, bad_request, not_found
from cloudlet.ids import random_id
from cloudlet.model import Json
from cloudlet.store import documents
from cloudlet.structured_metadata.validation import check_validation_shape, normalise

KIND = "metadata_field"
DELETED_KIND = "deleted_metadata_field"
TYPES = ("string", "integer", "date", "enum", "set")
DATASOURCE_TYPES = ("enum", "set")
_EXTERNAL_ID = re.compile(r"[^\x00-\x1f\x7f/?#%]{1,255}")


def find(connection: sqlite3.Connection, external_id: str) -> dict[str, Json]:
    """Return the definition of a field. Raises ApiError 404 if it does not exist."""
    found = documents.find(connection, KIND, external_id)
    if found is None:
        raise not_found(f"External ID {external_id} doesn't exist")
    return found


def to_response(field: Mapping[str, Json]) -> dict[str, Json]:
    """Return a definition for a response, without the inactive entries of its datasource."""
    answer = dict(field)
    if "datasource" in answer:
        answer["datasource"] = {"values": active_entries(answer)}
    return answer


def active_entries(field: Mapping[str, Json]) -> list[dict[str, Json]]:
    return [entry for entry in field["datasource"]["values"] if entry.get("state", "active") == "active"]


def new_field(given: Mapping[str, Json]) -> dict[str, Json]:
    """Return a new definition. Raises ApiError 400 if it is invalid."""
    type_ = given.get("type")
    if type_ not in TYPES:
        raise bad_request(f"Invalid type {type_}. Must be one of: {', '.join(TYPES)}")
    label = given.get("label")
    if not isinstance(label, str) or not label:
        raise bad_request("Missing required parameter - label")
    external_id = given.get("external_id") or random_id()
    if not isinstance(external_id, str) or not _EXTERNAL_ID.fullmatch(external_id):
        raise bad_request("Invalid external_id: up to 255 characters without / ? # %")
    field: dict[str, Json] = {
        "type": type_,
        "external_id": external_id,
        "label": label,
        "mandatory": _flag(given, "mandatory"),
        "default_value": None,
        "default_disabled": _flag(given, "default_disabled"),
        "validation": None,
        "restrictions": given.get("restrictions") or {},
    }
    if type_ in DATASOURCE_TYPES:
        datasource = given.get("datasource") or {}
        field["datasource"] = {"values": new_entries(datasource.get("values") or [])}
        field["allow_dynamic_list_values"] = _flag(given, "allow_dynamic_list_values")
    return _with_rules(field, given)


def update(field: Mapping[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    """Return the definition with the allowed changes. Type and external id never change. Raises ApiError 400."""
    result = dict(field)
    if isinstance(changes.get("label"), str) and changes["label"]:
        result["label"] = changes["label"]
    for name in ("mandatory", "default_disabled", "allow_dynamic_list_values"):
        if changes.get(name) is not None:
            result[name] = _flag(changes, name)
    if isinstance(changes.get("restrictions"), dict):
        result["restrictions"] = changes["restrictions"]
    datasource = changes.get("datasource")
    if isinstance(datasource, dict) and result["type"] in DATASOURCE_TYPES:
        result["datasource"] = {"values": merge_entries(result, datasource.get("values") or [])}
    return _with_rules(result, changes)


def _flag(given: Mapping[str, Json], name: str) -> bool:
    value = given.get(name) or False
    if not isinstance(value, bool):
        raise bad_request(f"Invalid value for parameter {name}: must be true or false")
    return value


def _with_rules(field: dict[str, Json], given: Mapping[str, Json]) -> dict[str, Json]:
    if "validation" in given:
        validation = given["validation"]
        if validation is not None:
            check_validation_shape(validation, field["type"])
        field["validation"] = validation
    if given.get("default_value") is not None:
        field["default_value"] = _default(field, given["default_value"])
    elif "default_value" in given:
        field["default_value"] = None
    if field["mandatory"] and field["default_value"] is None and field["default_disabled"]:
        raise bad_request(f"Field {field['external_id']} is mandatory: default_disabled needs a default_value")
    return field


def _default(field: Mapping[str, Json], value: Json) -> Json:
    try:
        return normalise(field, value)
    except ApiError as error:
        raise bad_request(f"default_value is invalid: {error.message}") from error


# ------------------------------------------------------------------------------------------- datasources


def new_entries(values: Json) -> list[dict[str, Json]]:
    """Return datasource entries ``{"external_id", "value"}``, with generated ids where they are missing.

    Raises ApiError 400 if an entry is invalid or an id occurs twice.
    """
    if not isinstance(values, list):
        raise bad_request("Invalid datasource: values must be a list")
    entries: dict[str, dict[str, Json]] = {}
    for entry in values:
        if not isinstance(entry, dict) or not isinstance(entry.get("value"), str) or not entry["value"]:
            raise bad_request("Invalid datasource: every entry needs a value")
        external_id = str(entry.get("external_id") or random_id())
        if external_id in entries:
            raise bad_request(f"Duplicate datasource external_id {external_id}")
        entries[external_id] = {"external_id": external_id, "value": entry["value"]}
    return list(entries.values())


def merge_entries(field: Mapping[str, Json], values: Json) -> list[dict[str, Json]]:
    """Return the entries of a field, with new values for existing ids, followed by the new entries."""
    entries = {entry["external_id"]: dict(entry) for entry in field["datasource"]["values"]}
    for entry in new_entries(values):
        entries[entry["external_id"]] = {**entries.get(entry["external_id"], {}), **entry}
    return list(entries.values())


def with_state(field: Mapping[str, Json], external_ids: Json, state: str) -> dict[str, Json]:
    """Return the field with some entries set to ``active`` or ``inactive``. Raises ApiError 400 if one is unknown."""
    if not isinstance(external_ids, list) or not external_ids:
        raise bad_request("Missing required parameter - external_ids")
    known = {entry["external_id"] for entry in field["datasource"]["values"]}
    missing = [str(external_id) for external_id in external_ids if external_id not in known]
    if missing:
        raise bad_request(f"Datasource entries {', '.join(missing)} don't exist")
    values = [
        {**entry, "state": state} if entry["external_id"] in external_ids else entry
        for entry in field["datasource"]["values"]
    ]
    return {**field, "datasource": {"values": values}}
