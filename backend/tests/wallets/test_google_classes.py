"""A worker creates the class of an event at Google. From then on, links contain only the ticket."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import Settings

from apps.core.jobs import dispatch
from apps.events.models import Event, EventTicket
from apps.wallets import google_api, passes, tasks
from apps.wallets.models import GoogleWalletClass
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket, make_ticket_type, make_user
from tests.google import CLASSES, TOKEN, Google, refusal, reply, running_google
from tests.network_guard import MisplacedNetworkCallError
from tests.wallet_credentials import Authority
from tests.webhooks.receiver import Reply
from tests.workers import publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]

Sent = list[tuple[str, list[Any], str]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def google(authority: Authority, settings: Settings, tmp_path: Path) -> Iterator[Google]:
    values = authority.settings(tmp_path)
    with running_google(authority.key.public_key(), values["GOOGLE_WALLET_ISSUER_ID"]) as running:
        account = authority.service_account(token_uri=f"{running.url}{TOKEN}")
        Path(values["GOOGLE_WALLET_CREDENTIALS"]).write_text(account)
        for name in ("GOOGLE_WALLET_CREDENTIALS", "GOOGLE_WALLET_ISSUER_ID"):
            setattr(settings, name, values[name])
        settings.GOOGLE_WALLET_API_URL = running.url
        yield running


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Record the tasks for Google instead of sending them to the broker."""
    recorded: Sent = []

    def send(task: str, args: list[Any], queue: str, **_: Any) -> None:
        if task == "apps.events.tasks.create_google_class":
            recorded.append((task, args, queue))

    monkeypatch.setattr(dispatch.current_app, "send_task", send)
    return recorded


@pytest.fixture
def ticket(sent: Sent) -> EventTicket:
    """Create a ticket that hanna@example.org holds."""
    event = make_event()
    return make_ticket(
        event=event,
        ticket_type=make_ticket_type(event, name="Standing"),
        holder_name="Hanna",
        holder_email="hanna@example.org",
        order_reference="A1B2-C3D4",
        quantity=3,
    )


@pytest.fixture
def hanna(client: Client) -> Client:
    client.force_login(make_user("hanna@example.org"))
    return client


def payload_of(client: Client, ticket: EventTicket, authority: Authority) -> dict[str, Any]:
    """Return the payload of the link that the API redirects to."""
    answer = client.get(f"/api/events/ticket/{ticket.ticket_id}/google-wallet/")
    assert answer.status_code == 302
    link = answer["Location"]
    assert len(link) < 1800
    token = link.removeprefix("https://pay.google.com/gp/v/save/")
    payload: dict[str, Any] = jwt.decode(token, authority.key.public_key(), ["RS256"], audience="google")["payload"]
    return payload


def run_tasks(sent: Sent) -> None:
    """Run the recorded tasks as a worker does."""
    while sent:
        task, arguments, queue = sent.pop()
        assert queue == "bulk"
        found = getattr(tasks, task.rpartition(".")[2])
        assert found.name == task
        found(*arguments)


def test_the_first_link_contains_the_class_and_later_ones_only_the_ticket(
    hanna: Client, ticket: EventTicket, authority: Authority, google: Google, sent: Sent
) -> None:
    first = payload_of(hanna, ticket, authority)
    assert first["eventTicketClasses"][0]["eventName"]["defaultValue"]["value"] == "Concert Night"
    assert sent == [("apps.events.tasks.create_google_class", [ticket.event_id], "bulk")]
    assert google.paths == []

    run_tasks(sent)
    assert google.paths == [TOKEN, CLASSES]
    (created,) = google.classes.values()
    assert created["venue"]["address"]["defaultValue"]["value"] == "Mill Street 1, Berlin"
    assert created["dateTime"].keys() == {"start", "doorsOpen"}

    later = payload_of(hanna, ticket, authority)
    assert later.keys() == {"eventTicketObjects"}
    (shown,) = later["eventTicketObjects"]
    assert shown["classId"] == created["id"]
    assert shown["ticketType"]["defaultValue"]["value"] == "Standing"
    assert "3" in [module["body"] for module in shown["textModulesData"]]
    assert shown["reservationInfo"] == {"confirmationCode": "A1B2-C3D4"}
    assert shown["ticketHolderName"] == "Hanna"
    assert sent == []


def test_a_changed_event_gets_a_new_class(
    hanna: Client, ticket: EventTicket, authority: Authority, google: Google, sent: Sent
) -> None:
    payload_of(hanna, ticket, authority)
    run_tasks(sent)
    (before,) = google.classes
    Event.objects.update(venue="New Mill")
    cache.clear()  # a minute later

    assert "eventTicketClasses" in payload_of(hanna, ticket, authority)
    run_tasks(sent)
    (shown,) = payload_of(hanna, ticket, authority)["eventTicketObjects"]
    assert google.classes.keys() == {before, shown["classId"]}
    assert shown["classId"] != before
    assert google.classes[shown["classId"]]["venue"]["name"]["defaultValue"]["value"] == "New Mill"


def test_a_ready_ticket_creates_the_class_before_the_first_link(
    cloudlet: RunningCloudlet, hanna: Client, ticket: EventTicket, authority: Authority, google: Google, sent: Sent
) -> None:
    assert publish(ticket.pk) == EventTicket.State.READY
    assert [arguments for _, arguments, _ in sent] == [[ticket.event_id]]
    run_tasks(sent)
    assert payload_of(hanna, ticket, authority).keys() == {"eventTicketObjects"}


def test_no_class_is_created_while_google_wallet_is_off(
    cloudlet: RunningCloudlet, ticket: EventTicket, sent: Sent
) -> None:
    assert publish(ticket.pk) == EventTicket.State.READY
    assert sent == []
    passes.create_google_class(ticket.event_id)  # a task from before it was turned off
    assert not GoogleWalletClass.objects.exists()


def test_many_links_send_one_task_per_minute(
    hanna: Client, ticket: EventTicket, authority: Authority, google: Google, sent: Sent
) -> None:
    for _ in range(3):
        payload_of(hanna, ticket, authority)
    assert len(sent) == 1


def test_a_repeated_or_late_task_makes_no_call(ticket: EventTicket, google: Google) -> None:
    passes.create_google_class(ticket.event_id)
    passes.create_google_class(ticket.event_id)
    assert google.paths == [TOKEN, CLASSES]
    passes.create_google_class(ticket.event_id + 1)  # the event was deleted meanwhile
    assert google.paths == [TOKEN, CLASSES]


def test_a_class_that_already_exists_at_google_is_accepted(
    hanna: Client, ticket: EventTicket, authority: Authority, google: Google
) -> None:
    passes.create_google_class(ticket.event_id)
    GoogleWalletClass.objects.all().delete()  # a database from a backup
    passes.create_google_class(ticket.event_id)
    assert google.paths == [TOKEN, CLASSES] * 2
    assert payload_of(hanna, ticket, authority).keys() == {"eventTicketObjects"}


@pytest.mark.parametrize(
    ("path", "answer", "cure"),
    [
        (CLASSES, refusal(403, "PERMISSION_DENIED", "Permission denied."), "add the account as a user (Developer)"),
        (CLASSES, refusal(401, "UNAUTHENTICATED", "Bad token."), "Enable the Google Wallet API"),
        (CLASSES, refusal(400, "INVALID_ARGUMENT", "Invalid\ncolour."), ": Invalidcolour."),
        (CLASSES, refusal(409, "ABORTED", "Concurrent change."), ": Concurrent change."),
        (CLASSES, Reply(404, body=b"<html>"), "(no message)"),
        (CLASSES, Reply(302, {"Location": "/elsewhere"}), "answered 302"),
        (CLASSES, Reply(503), "overloaded or down"),
        (TOKEN, reply(400, {"error": "invalid_grant"}), "(invalid_grant) to the key of the service account"),
        (TOKEN, reply(400, {"error": "A strange one"}), "(no reason)"),
        (TOKEN, reply(200, {"access_token": "line\nbreak"}), "create a new key"),
        (TOKEN, reply(200, ["no", "object"]), "create a new key"),
        (TOKEN, Reply(429), "overloaded or down"),
    ],
)
def test_a_refusal_is_logged_with_its_cure_and_links_still_work(
    hanna: Client, ticket: EventTicket, authority: Authority, google: Google, sent: Sent,
    caplog: pytest.LogCaptureFixture, path: str, answer: Reply, cure: str,
) -> None:  # fmt: skip
    google.answers[path] = lambda: answer
    payload_of(hanna, ticket, authority)
    with caplog.at_level(logging.WARNING, "apps.wallets.passes"):
        run_tasks(sent)
    assert cure in caplog.text
    assert f"The class of event {ticket.event_id} was not created at Google" in caplog.text
    assert not GoogleWalletClass.objects.exists()
    assert "eventTicketClasses" in payload_of(hanna, ticket, authority)

    cache.clear()  # a minute later
    del google.answers[path]
    payload_of(hanna, ticket, authority)
    run_tasks(sent)
    assert payload_of(hanna, ticket, authority).keys() == {"eventTicketObjects"}


def test_secrets_that_google_echoes_are_not_logged(
    ticket: EventTicket, authority: Authority, google: Google, caplog: pytest.LogCaptureFixture
) -> None:
    def echo() -> Reply:
        return refusal(400, "INVALID_ARGUMENT", f"You sent {google.tokens[-1]}")

    google.answers[CLASSES] = echo
    passes.create_google_class(ticket.event_id)
    google.answers[TOKEN] = lambda: reply(400, {"error": google.receiver.received[-1].body.decode()})
    passes.create_google_class(ticket.event_id)
    assert len(caplog.records) == 2
    assert "You sent [token]" in caplog.text
    key = json.loads(authority.service_account())["private_key"]
    assert not any(secret in caplog.text for secret in ("ya29.", "eyJ", "assertion", key[40:80]))


def test_a_key_that_google_does_not_know_is_logged(
    ticket: EventTicket, google: Google, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    account = Authority().service_account(token_uri=f"{google.url}{TOKEN}")
    Path(settings.GOOGLE_WALLET_CREDENTIALS).write_text(account)
    passes.create_google_class(ticket.event_id)
    assert google.paths == [TOKEN]
    assert "Google answered 400 (invalid_grant)" in caplog.text


@pytest.mark.parametrize("path", [TOKEN, CLASSES])
def test_a_read_timeout_is_logged(
    ticket: EventTicket, google: Google, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    monkeypatch.setattr(google_api, "READ_SECONDS", 0.3)
    finished = threading.Event()

    def wait() -> Reply:
        finished.wait(60)
        return Reply(500)

    google.answers[path] = wait
    try:
        passes.create_google_class(ticket.event_id)
    finally:
        finished.set()
    assert "127.0.0.1 did not answer (ReadTimeoutError). Allow the workers to connect to it on port 443" in caplog.text
    assert not GoogleWalletClass.objects.exists()


def test_a_refused_connection_is_logged(
    ticket: EventTicket, google: Google, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.GOOGLE_WALLET_API_URL = "http://127.0.0.1:1"
    passes.create_google_class(ticket.event_id)
    assert "127.0.0.1 did not answer (NewConnectionError)" in caplog.text


def test_links_work_without_broker_and_cache(
    hanna: Client, ticket: EventTicket, authority: Authority, google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("away")

    monkeypatch.setattr(dispatch.current_app, "send_task", fail)
    assert "eventTicketClasses" in payload_of(hanna, ticket, authority)
    monkeypatch.setattr(passes.cache, "add", fail)
    assert "eventTicketClasses" in payload_of(hanna, ticket, authority)


def test_calling_google_in_a_transaction_fails(
    ticket: EventTicket, google: Google, network_out_of_place: list[str]
) -> None:
    with pytest.raises(MisplacedNetworkCallError), transaction.atomic():
        passes.create_google_class(ticket.event_id)
    assert network_out_of_place == ["the network was called in a transaction"]
    network_out_of_place.clear()
    assert google.paths == []
