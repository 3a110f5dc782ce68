"""Check a value against the definition of its field."""

import datetime
import json
import re
from collections.abc import Mapping

from cloudlet.errors import bad_request
from cloudlet.model import Json

_COMPARISONS = ("greater_than", "less_than")
_MAX_STRING_LENGTH = 10_000


def normalise(field: Mapping[str, Json], value: Json) -> Json:
    """Return ``value`` in the type of the field. Raises ApiError 400 if it is invalid."""
    read = _READERS[field["type"]]
    result = read(field, value)
    validation = field.get("validation")
    if validation is not None and not _is_valid(validation, result):
        raise bad_request(f"Value {shorten(value)} is invalid for field {field['external_id']}: validation failed")
    return result


def shorten(value: Json) -> str:
    """Return a value as text of at most 60 characters, for a message."""
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "..."


def _invalid(field: Mapping[str, Json], value: Json, wanted: str) -> Exception:
    return bad_request(f"Value {shorten(value)} is invalid for field {field['external_id']}: must be {wanted}")


def _string(field: Mapping[str, Json], value: Json) -> str:
    if not isinstance(value, str) or len(value) > _MAX_STRING_LENGTH:
        raise _invalid(field, value, f"text of at most {_MAX_STRING_LENGTH} characters")
    return value


def _integer(field: Mapping[str, Json], value: Json) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,15}", str(value)):
        raise _invalid(field, value, "a whole number")
    return int(value)


def _date(field: Mapping[str, Json], value: Json) -> str:
    try:
        datetime.date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _invalid(field, value, "a date like 2026-01-31") from error
    return str(value)


def _enum(field: Mapping[str, Json], value: Json) -> str:
    if value not in _active_ids(field):
        raise _invalid(field, value, "an external_id of its datasource")
    return str(value)


def _set(field: Mapping[str, Json], value: Json) -> list[str]:
    if isinstance(value, str):
        value = _set_from_text(value)
    if not isinstance(value, list):
        raise _invalid(field, value, "a list of external_ids")
    known = _active_ids(field)
    unknown = [item for item in value if item not in known]
    if unknown:
        raise _invalid(field, unknown[0], "an external_id of its datasource")
    return list(dict.fromkeys(value))


def _set_from_text(text: str) -> Json:
    if not text.startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return None


def _active_ids(field: Mapping[str, Json]) -> set[str]:
    return {e["external_id"] for e in field["datasource"]["values"] if e.get("state", "active") == "active"}


_READERS = {"string": _string, "integer": _integer, "date": _date, "enum": _enum, "set": _set}


def check_validation_shape(validation: Json, type_: str) -> None:
    """Raise ApiError 400 unless ``validation`` is valid for fields of this type."""
    if not isinstance(validation, dict):
        raise bad_request("Invalid validation: must be an object")
    kind = validation.get("type")
    if kind == "and":
        rules = validation.get("rules")
        if not isinstance(rules, list) or not rules:
            raise bad_request("Invalid validation: and needs a list of rules")
        for rule in rules:
            check_validation_shape(rule, type_)
    elif kind in _COMPARISONS:
        if type_ not in ("integer", "date") or validation.get("value") is None:
            raise bad_request(f"Invalid validation: {kind} needs a value and an integer or date field")
    elif kind == "strlen":
        if type_ != "string" or not {"min", "max"} & validation.keys():
            raise bad_request("Invalid validation: strlen needs min or max and a string field")
    else:
        raise bad_request(f"Invalid validation type {kind}. Must be one of: and, greater_than, less_than, strlen")


def _is_valid(validation: Mapping[str, Json], value: Json) -> bool:
    kind = validation["type"]
    if kind == "and":
        return all(_is_valid(rule, value) for rule in validation["rules"])
    if kind == "strlen":
        return bool(validation.get("min", 0) <= len(value) <= validation.get("max", _MAX_STRING_LENGTH))
    limit = type(value)(validation["value"])
    if validation.get("equals") and value == limit:
        return True
    return bool(value > limit) if kind == "greater_than" else bool(value < limit)
