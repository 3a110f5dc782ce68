"""Structured metadata: fields, values and rules."""

from typing import Any

import pytest
from cloudinary import api, uploader
from cloudinary.exceptions import BadRequest, NotFound
from pictures import png

pytestmark = pytest.mark.usefixtures("server")


def add(external_id: str, type_: str, **options: Any) -> dict[str, Any]:
    field = {"external_id": external_id, "label": external_id, "type": type_, **options}
    result: dict[str, Any] = api.add_metadata_field(field)
    return result


def test_values_are_validated_by_their_field() -> None:
    add("m_text", "string", validation={"type": "strlen", "max": 5})
    add("m_number", "integer", validation={"type": "greater_than", "value": 10, "equals": True})
    add("m_date", "date")
    add(
        "m_set",
        "set",
        datasource={"values": [{"external_id": "r", "value": "Red"}, {"external_id": "g", "value": "G"}]},
    )
    good = {"m_text": "abc", "m_number": 10, "m_date": "2026-02-03", "m_set": ["r", "g"]}
    result = uploader.upload(png(), public_id="meta", metadata=good)
    assert result["metadata"] == good
    for bad, text in (
        ({"m_text": "abcdef"}, "invalid for field m_text"),
        ({"m_number": "9"}, "invalid for field m_number"),
        ({"m_date": "03.02.2026"}, "must be a date"),
        ({"m_set": ["b"]}, "external_id of its datasource"),
        ({"m_none": "x"}, "Metadata field m_none does not exist"),
    ):
        with pytest.raises(BadRequest, match=text):
            uploader.upload(png(), public_id="meta_bad", metadata=bad)
        with pytest.raises(NotFound):
            api.resource("meta_bad")
    uploader.update_metadata({"m_text": ""}, ["meta"])
    assert "m_text" not in api.resource("meta")["metadata"]


def test_datasource_entries_are_deleted_restored_and_ordered() -> None:
    add(
        "d_enum",
        "enum",
        datasource={"values": [{"external_id": "1", "value": "b"}, {"external_id": "2", "value": "a"}]},
    )
    assert [v["value"] for v in api.delete_datasource_entries("d_enum", ["2"])["values"]] == ["b"]
    with pytest.raises(BadRequest):
        uploader.upload(png(), metadata={"d_enum": "2"})
    assert len(api.restore_metadata_field_datasource("d_enum", ["2"])["values"]) == 2
    ordered = api.reorder_metadata_field_datasource("d_enum", "value", "asc")
    assert [v["value"] for v in ordered["values"]] == ["a", "b"]
    updated = api.update_metadata_field_datasource("d_enum", [{"external_id": "3", "value": "c"}])
    assert [v["value"] for v in updated["values"]] == ["a", "b", "c"]


def test_defaults_and_rules_apply_to_uploads() -> None:
    add("r_level", "integer", default_value=1)
    add("r_label", "string")
    rule = api.add_metadata_rule(
        {
            "metadata_field_id": "r_label",
            "name": "label follows level",
            "condition": {"metadata_field_id": "r_level", "equals": 7},
            "result": {"apply_value": {"value": "seven", "mode": "default"}},
        }
    )
    assert uploader.upload(png(), public_id="r1")["metadata"] == {"r_level": 1}
    assert uploader.upload(png(), public_id="r2", metadata={"r_level": 7})["metadata"]["r_label"] == "seven"
    api.update_metadata_rule(rule["external_id"], {"state": "inactive"})
    assert "r_label" not in uploader.upload(png(), public_id="r3", metadata={"r_level": 7})["metadata"]
    assert api.delete_metadata_rule(rule["external_id"])["success"] is True
    for field in ("r_level", "r_label"):
        assert api.delete_metadata_field(field)["message"] == "ok"


def test_external_id_of_a_deleted_field_stays_taken() -> None:
    add("gone", "string")
    api.delete_metadata_field("gone")
    assert "gone" not in [field["external_id"] for field in api.list_metadata_fields()["metadata_fields"]]
    with pytest.raises(NotFound):
        api.metadata_field_by_field_id("gone")
    with pytest.raises(BadRequest, match="external id gone already exists"):
        add("gone", "string")
