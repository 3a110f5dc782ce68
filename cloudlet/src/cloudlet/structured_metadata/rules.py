"""Rules between metadata fields. If a rule's condition is true, it enables or disables a field or sets its value.

They are described at https://cloudinary.com/documentation/conditional_metadata_rules_api
"""

import sqlite3
from collections.abc import Mapping

from cloudlet.errors import bad_request
from cloudlet.ids import random_id
from cloudlet.model import Json
from cloudlet.store import documents

KIND = "metadata_rule"
_STATES = ("active", "inactive")
_TESTS = ("populated", "equals", "includes")
_MAX_CONDITION_DEPTH = 10


def new_rule(connection: sqlite3.Connection, given: Mapping[str, Json]) -> dict[str, Json]:
    """Return a new rule. Raises ApiError 400 if it is invalid."""
    rule: dict[str, Json] = {
        "external_id": str(given.get("external_id") or random_id()),
        "metadata_field_id": given.get("metadata_field_id"),
        "name": given.get("name"),
        "condition": given.get("condition"),
        "condition_signature": "",
        "result": given.get("result"),
        "state": given.get("state") or "active",
    }
    for name in ("metadata_field_id", "name", "condition", "result"):
        if not rule[name]:
            raise bad_request(f"Missing required parameter - {name}")
    return validate(connection, rule)


def update(connection: sqlite3.Connection, rule: Mapping[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    """Return the rule with the given changes. Raises ApiError 400 if the result is invalid."""
    allowed = ("metadata_field_id", "name", "condition", "result", "state")
    return validate(connection, {**rule, **{name: changes[name] for name in allowed if changes.get(name)}})


def validate(connection: sqlite3.Connection, rule: dict[str, Json]) -> dict[str, Json]:
    """Return the rule. Raises ApiError 400 if it is invalid."""
    if rule["state"] not in _STATES:
        raise bad_request(f"Invalid state {rule['state']}. Must be one of: {', '.join(_STATES)}")
    _require_field(connection, rule["metadata_field_id"])
    _check_condition(connection, rule["condition"], _MAX_CONDITION_DEPTH)
    result = rule["result"]
    if (
        not isinstance(result, dict)
        or not {"enable", "activate_values", "apply_value", "set_mandatory"} & result.keys()
    ):
        raise bad_request("Invalid result: needs enable, activate_values, apply_value or set_mandatory")
    apply_value = result.get("apply_value")
    if apply_value is not None and not (isinstance(apply_value, dict) and "value" in apply_value):
        raise bad_request("Invalid result: apply_value needs a value")
    return rule


def _require_field(connection: sqlite3.Connection, external_id: Json) -> None:
    if documents.find(connection, "metadata_field", str(external_id)) is None:
        raise bad_request(f"External ID {external_id} doesn't exist")


def _check_condition(connection: sqlite3.Connection, condition: Json, depth: int) -> None:
    if not isinstance(condition, dict) or depth == 0:
        raise bad_request("Invalid condition")
    for joiner in ("and", "or"):
        if joiner in condition:
            if not isinstance(condition[joiner], list) or not condition[joiner]:
                raise bad_request(f"Invalid condition: {joiner} needs a list")
            for part in condition[joiner]:
                _check_condition(connection, part, depth - 1)
            return
    if not any(test in condition for test in _TESTS):
        raise bad_request(f"Invalid condition: needs one of {', '.join(_TESTS)}, and, or")
    _require_field(connection, condition.get("metadata_field_id"))


def apply(connection: sqlite3.Connection, values: dict[str, Json]) -> dict[str, Json]:
    """Return ``values`` after the active rules: with the values that they set, without those of disabled fields."""
    result = dict(values)
    for rule in documents.list_all(connection, KIND):
        if rule["state"] != "active":
            continue
        holds = condition_holds(rule["condition"], result)
        field, outcome = rule["metadata_field_id"], rule["result"]
        if holds and outcome.get("enable") is False:
            result.pop(field, None)
        elif holds and "apply_value" in outcome:
            apply_value = outcome["apply_value"]
            if apply_value.get("mode") != "default" or field not in result:
                result[field] = apply_value["value"]
    return result


def condition_holds(condition: Mapping[str, Json], values: Mapping[str, Json]) -> bool:
    """Return whether a valid condition is true for the values of an asset."""
    if "and" in condition:
        return all(condition_holds(part, values) for part in condition["and"])
    if "or" in condition:
        return any(condition_holds(part, values) for part in condition["or"])
    value = values.get(condition["metadata_field_id"])
    if "populated" in condition:
        return (value is not None) == bool(condition["populated"])
    if "equals" in condition:
        wanted = condition["equals"]
        return bool(value == wanted or (isinstance(value, list) and value == [wanted]))
    present = value if isinstance(value, list) else [value]
    return all(wanted in present for wanted in condition["includes"])
