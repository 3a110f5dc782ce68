"""The OpenAPI document: committed, complete, and rendered in a browser without third-party hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
import yaml
from django.test import Client
from ninja import Schema
from ninja.responses import NinjaJSONEncoder
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from apps.accounts import api_document
from apps.api import app, schemas
from apps.api.app import api
from tests.browser import running_chromium

DOCUMENT = Path(__file__).parents[3] / "docs/reference/openapi.json"
UPDATE = "manage.py export_openapi_schema --indent 2 --output ../docs/reference/openapi.json"


@pytest.fixture
def document() -> Any:
    return json.loads(json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder))


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_committed_document_is_up_to_date(document: Any) -> None:
    assert json.loads(DOCUMENT.read_text()) == document, f"The API has changed. Review it, then run {UPDATE}"


def test_every_operation_has_a_description_and_its_error_responses(document: Any) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for name, operation in operations(document):
        assert operation["summary"], name
        assert len(operation["description"]) > 40, name
        responses = operation["responses"]
        assert "500" in responses, name
        assert ("401" in responses) == ("security" in operation), name
        assert ("400" in responses) == ("requestBody" in operation), name
        assert ("422" in responses) or not [p for p in operation["parameters"] if p["in"] == "query"], name
        for status, response in responses.items():
            if int(status) >= 400:
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorOut"}, f"{name} {status}"


@pytest.mark.parametrize("model", [schemas.TicketOut, schemas.RegenerateIn, schemas.ScanIn, schemas.VerdictOut])
def test_examples_match_their_schema(document: Any, model: type[Schema]) -> None:
    examples = document["components"]["schemas"][model.__name__]["examples"]
    for example in examples:
        shown = model.model_validate(example)
        assert shown.model_dump(exclude_unset=True).keys() == example.keys()
        assert example.keys() == model.model_fields.keys()


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("/api/openapi.json", app),
        ("/_allauth/openapi.json", api_document),
        ("/_allauth/openapi.yaml", api_document),
    ],
)
def test_a_document_is_assembled_only_once(
    client: Client, monkeypatch: pytest.MonkeyPatch, path: str, module: Any
) -> None:
    """Assembling one takes up to a second, and anyone may request it."""
    monkeypatch.setattr(module, "_document", cache(module._document.__wrapped__))  # an empty cache
    origin = "apps.api.app" if module is app else "allauth.headless.spec.views"
    with mock.patch(f"{origin}.get_schema", return_value={"openapi": "3.1.0", "paths": {}}) as assemble:
        answers = [client.get(path) for _ in range(3)]
    assert assemble.call_count == 1
    assert [yaml.safe_load(answer.content)["openapi"] for answer in answers] == ["3.1.0"] * 3  # JSON is YAML


def test_the_document_of_sign_in_is_allauths(client: Client) -> None:
    answer = client.get("/_allauth/openapi.json")
    assert answer["Content-Type"] == "application/vnd.oai.openapi+json"
    assert "/_allauth/{client}/v1/auth/login" in answer.json()["paths"]
    assert client.get("/_allauth/openapi.json").content == answer.content


# -- In a browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def page() -> Iterator[Page]:
    with running_chromium() as browser:
        yield browser.new_page()


@pytest.mark.integration
@pytest.mark.django_db(transaction=True)
def test_the_documentation_page_needs_no_other_host(live_server: LiveServer, page: Page) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))

    page.goto(f"{live_server.url}/api/docs")
    page.get_by_text("Check a code sent in the body").click()
    page.get_by_text("but keep the code out of URLs").wait_for(timeout=20_000)
    page.get_by_text("List the public keys for offline verification").click()
    page.get_by_role("button", name="Try it out").last.click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table .response-col_status", has_text="200").first.wait_for(timeout=20_000)

    assert errors == []
    assert hosts - {""} == {urlsplit(live_server.url).netloc}
