"""The OpenAPI document: committed, complete, and rendered in a browser without third-party hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ninja import Schema
from ninja.responses import NinjaJSONEncoder
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from apps.api import schemas
from apps.api.app import api

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


# -- In a browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def page() -> Iterator[Page]:
    """Open a page in Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


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
