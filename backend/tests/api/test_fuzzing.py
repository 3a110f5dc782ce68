"""Fuzz the API with valid and invalid requests that are generated from its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, given, settings

from apps.events.models import EventTicket
from tests.factories import make_event, make_organiser, make_ticket, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.integration]

EXAMPLES = max(settings().max_examples // 5, 1)  # each is a whole request
DOCUMENT = json.loads((Path(__file__).parents[3] / "docs/reference/openapi.json").read_text())
CASES = [
    pytest.param(f"{method.upper()} {path}", mode, id=f"{method.upper()} {path} {mode}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    for mode in ("positive", "negative")
    # a request that takes nothing can't be wrong
    if mode == "positive" or operation.get("parameters") or "requestBody" in operation
]


@cache
def _operations() -> dict[str, Any]:
    """Return the operations by method and path. Schemathesis takes a second to import, so it is imported late."""
    import schemathesis
    from schemathesis.core.result import Ok

    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.app = get_wsgi_application()
    found = [operation.ok() for operation in cast("list[Ok[Any]]", list(schema.get_all_operations()))]
    return {operation.label: operation for operation in found}


@pytest.fixture(autouse=True)
def _one_connection_for_test_and_application() -> Iterator[None]:
    """As Django's own test client does: the end of a request must not end the test's transaction."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.fixture
def token(settings: Any) -> str:
    """Return the session token of a superuser, and lift the rate limits."""
    settings.API_REQUESTS_A_MINUTE = {"regenerate": 10**6, "door": 10**6}
    root = make_user("root@example.org", is_superuser=True)
    event = make_event(organiser=make_organiser(manager=root))
    for _ in range(3):
        make_ticket(event=event, holder=root)
    client = Client()
    client.force_login(root)
    return client.cookies["sessionid"].value


def test_every_operation_of_the_document_is_tried() -> None:
    assert {case.values[0] for case in CASES} == set(_operations())


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_every_answer_is_one_that_the_document_declares(label: str, mode: str, token: str) -> None:
    from schemathesis import GenerationMode

    operation = _operations()[label]
    ticket = EventTicket.objects.first()
    assert ticket is not None

    @given(case=operation.as_strategy(generation_mode=GenerationMode(mode)))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def run(case: Any) -> None:
        if mode == "positive":  # ids that exist, or nothing but 404 would be seen
            known = {"ticket_id": str(ticket.ticket_id), "event_id": ticket.event_id}
            case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
        case.call_and_validate(headers={"X-Session-Token": token})

    run()
