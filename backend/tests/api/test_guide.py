"""docs/reference/api.md: its code for offline verification works, and its examples and tables match the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.api.errors import STANDARD
from apps.api.schemas import TicketOut, VerdictOut
from apps.checkin.admission import Verdict
from apps.events.codes import code_of
from apps.events.models import EventTicket
from tests.factories import make_ticket

GUIDE = (Path(__file__).parents[3] / "docs/reference/api.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.django_db
def test_the_python_code_verifies_genuine_codes_only(client: Client) -> None:
    [source] = blocks("python")
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102 # code from this repository's documentation
    verify, keys = namespace["verify"], client.get("/api/events/keys/").json()["keys"]

    for ticket in [make_ticket() for _ in range(20)]:
        code = code_of(ticket)
        genuine = {"event": ticket.event_id, "ticket_id": str(ticket.ticket_id), "generation": 0}
        assert verify(code, keys) == verify(code.lower() + "\n", keys) == genuine
        for place in range(len(code)):
            other = "0" if code[place] != "0" else "1"
            assert verify(code[:place] + other + code[place + 1 :], keys) is None, place
        assert verify(code, {"0": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}) is None
    for text in ("", "AD1:", "AD1:" + ":" * 131, "AD1:" + "É" * 131, "hello"):
        assert verify(text, keys) is None


def test_the_example_responses_match_the_schemas() -> None:
    ticket, verdict, error = [json.loads(block) for block in blocks("json")]
    assert TicketOut.model_validate(ticket).model_dump().keys() == ticket.keys()
    assert VerdictOut.model_validate(verdict).model_dump().keys() == verdict.keys()
    assert error["error"]["message"] == STANDARD[422][1]


def test_the_tables_list_every_verdict_state_and_error() -> None:
    names = set(re.findall(r"^\| (?:\d{3} \| )?`(\w+)` \|", GUIDE, re.MULTILINE)) - {"state", "verdict"}  # headings
    codes = {code for code, _ in STANDARD.values()} | {"csrf_failed"}
    assert names == {*map(str, Verdict), *EventTicket.State.values, *codes}
