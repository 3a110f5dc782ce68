"""The search language: expressions, sorting, paging, aggregation and errors."""

import datetime

import pytest
import urllib3
from cloudinary import api, uploader
from cloudinary.exceptions import BadRequest
from cloudinary.search import Search
from cloudinary.search_folders import SearchFolders
from hypothesis import given
from hypothesis import strategies as st
from pictures import png

from cloudlet.errors import ApiError
from cloudlet.search import ASSET_FIELDS, compile_expression
from cloudlet.testing import RunningCloudlet

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def server_options() -> list[str]:
    """Give the module its own server, because its tests search everything that is stored."""
    return []


@pytest.fixture(scope="module")
def zoo(started_server: RunningCloudlet) -> RunningCloudlet:
    """Return the module's server, with three pictures."""
    config = started_server.sdk_config
    api.add_metadata_field({"external_id": "age", "label": "age", "type": "integer"}, **config)
    for public_id, tags, context, age, width in (
        ("zoo/cat-one", ["cat", "small"], "legs=4", 3, 10),
        ("zoo/cat_two", ["cat"], "legs=3", 9, 20),
        ("zoo/birds/owl", ["bird", "small"], "legs=2", 5, 30),
    ):
        uploader.upload(png(width), public_id=public_id, tags=tags, context=context, metadata={"age": age}, **config)
    return started_server


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("", ["birds/owl", "cat-one", "cat_two"]),
        ("tags=cat", ["cat-one", "cat_two"]),
        ("tags:cat AND tags:small", ["cat-one"]),
        ("tags=cat OR tags=bird", ["birds/owl", "cat-one", "cat_two"]),
        ("tags=small AND NOT tags=cat", ["birds/owl"]),
        ("-tags=cat", ["birds/owl"]),
        ("tags:(small OR nothing)", ["birds/owl", "cat-one"]),
        ("public_id:two", ["cat_two"]),
        ("public_id=zoo/cat*", ["cat-one", "cat_two"]),
        ("filename:ow*", ["birds/owl"]),
        ("folder=zoo", ["cat-one", "cat_two"]),
        ('folder:"zoo/*"', ["birds/owl", "cat-one", "cat_two"]),
        ("width>10 AND width<=20", ["cat_two"]),
        ("width:[20 TO 30]", ["birds/owl", "cat_two"]),
        ("width:{20 TO 30}", []),
        ('aspect_ratio="1:1"', ["cat_two"]),
        ("bytes>1m", []),
        ("bytes<1kb AND format=png", ["birds/owl", "cat-one", "cat_two"]),
        ("context.legs=3", ["cat_two"]),
        ("context:legs AND (context.legs=2 OR context.legs=4)", ["birds/owl", "cat-one"]),
        ("metadata.age>4", ["birds/owl", "cat_two"]),
        ("metadata.age=3", ["cat-one"]),
        ("created_at>1h AND resource_type:image", ["birds/owl", "cat-one", "cat_two"]),
        ("uploaded_at<2020-01-01", []),
        ("owl", ["birds/owl"]),
        ('"cat one"', ["cat-one"]),
    ],
)
def test_expression_finds_the_matching_assets(zoo: RunningCloudlet, expression: str, found: list[str]) -> None:
    search = Search().max_results(50)
    result = (search.expression(expression) if expression else search).execute(**zoo.sdk_config)
    assert sorted(resource["public_id"].removeprefix("zoo/") for resource in result["resources"]) == found
    assert result["total_count"] == len(found)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("nosuchfield=1", "unknown field nosuchfield"),
        ("width>abc", "abc is not a number"),
        ("created_at>yesterday", "yesterday is not a date"),
        ("(tags=cat", "a bracket is not closed"),
        ("tags=cat AND", "ends too early"),
        ("width:[1 TO", "ends too early"),
        ("tags=cat)", "near"),
    ],
)
def test_invalid_expression_is_refused_with_a_reason(zoo: RunningCloudlet, expression: str, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        Search().expression(expression).execute(**zoo.sdk_config)


def test_sorting_paging_fields_and_aggregation(zoo: RunningCloudlet) -> None:
    search = Search().sort_by("width", "desc").max_results(2).with_field("context").aggregate("format")
    search.aggregate({"type": "bytes", "ranges": [{"key": "tiny", "to": 10_000}, {"key": "big", "from": 10_000}]})
    first = search.execute(**zoo.sdk_config)
    assert [resource["width"] for resource in first["resources"]] == [30, 20]
    assert first["resources"][0]["context"] == {"legs": "2"}
    assert first["aggregations"] == {"format": {"png": 3}, "bytes": {"tiny": 3, "big": 0}}
    second = search.next_cursor(first["next_cursor"]).execute(**zoo.sdk_config)
    assert [resource["width"] for resource in second["resources"]] == [10]
    assert "next_cursor" not in second


def test_fields_limit_the_response_to_identity_and_the_given_fields(zoo: RunningCloudlet) -> None:
    (found, *_) = Search().expression("zoo/*").fields("context").execute(**zoo.sdk_config)["resources"]
    identity = {"asset_id", "public_id", "resource_type", "type", "created_at", "status", "folder"}
    assert found.keys() == {*identity, "context"}


def test_folders_and_signed_search_urls(zoo: RunningCloudlet) -> None:
    found = SearchFolders().expression("path:zoo*").execute(**zoo.sdk_config)
    assert [folder["path"] for folder in found["folders"]] == ["zoo", "zoo/birds"]
    address = Search().expression("tags=bird").to_url(60, "", **zoo.sdk_config)
    answer = urllib3.request("GET", address, timeout=10)
    assert answer.json()["total_count"] == 1
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert urllib3.request("GET", address.replace("/60/", "/61/"), timeout=10).status == 401


@given(st.text(alphabet=st.sampled_from('abct:=<>[]{}()"\\*- 1ANDORT.TO'), max_size=60))
def test_any_text_compiles_or_is_refused(expression: str) -> None:
    try:
        compiled = compile_expression(expression, ASSET_FIELDS, free_text="public_id", now=NOW)
    except ApiError:
        return
    assert compiled.sql.count("?") == len(compiled.parameters)
