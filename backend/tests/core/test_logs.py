"""Log lines carry their context (request, task, ticket) in text and JSON, and never contain a secret."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from apps.core.telemetry import redaction
from apps.core.telemetry.context import context_value, log_context, request_id_from
from apps.core.telemetry.logs import SafeHandler, formatter
from apps.events.codes import code_of
from apps.events.models import EventTicket
from apps.publishing import pipeline
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.brokers import running_redis
from tests.factories import make_event, make_organiser, make_ticket, make_user
from tests.workers import publish, sending_to, start_worker, stop, wait_until


class Written:
    """The output of our log handler."""

    def __init__(self, form: str) -> None:
        self.stream = io.StringIO()
        self.handler = SafeHandler(self.stream)
        self.handler.setFormatter(formatter(form))

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(params=["json", "text"])
def written(request: pytest.FixtureRequest) -> Iterator[Written]:
    """Capture the output of the root logger and of ours, in both formats."""
    yield from _writing(request.param)


@pytest.fixture
def as_json() -> Iterator[Written]:
    yield from _writing("json")


def _writing(form: str) -> Iterator[Written]:
    written = Written(form)
    loggers = [logging.getLogger(), logging.getLogger("apps"), logging.getLogger("apps.telemetry.middleware")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(written.handler)
    for logger in loggers[1:]:
        logger.setLevel("DEBUG")
    yield written
    loggers[0].removeHandler(written.handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


log = logging.getLogger("apps.events.something")


# -- The lines ---------------------------------------------------------------------------------------------------


def test_line_is_one_json_object_with_its_context(as_json: Written) -> None:
    with log_context(request_id="r-12345678", ticket_id="t", task_id="k", worker="w@h", nothing=None):
        log.warning("Ticket %s: %s", "t", "two\nlines")
    log.info("afterwards")
    first, second = as_json.objects
    assert list(first)[:4] == ["time", "level", "logger", "message"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["time"])
    assert (first["level"], first["logger"], first["message"]) == ("warning", log.name, "Ticket t: two\\nlines")
    assert (first["request_id"], first["ticket_id"], first["task_id"], first["worker"]) == (
        "r-12345678",
        "t",
        "k",
        "w@h",
    )
    assert "nothing" not in first
    assert "request_id" not in second


def test_exception_is_a_field_of_its_line(as_json: Written) -> None:
    try:
        raise ValueError("no such thing")
    except ValueError:
        log.exception("It failed")
    (line,) = as_json.objects
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert line["exception"].endswith("ValueError: no such thing")


def test_text_format_keeps_hostile_input_on_one_line() -> None:
    for written in _writing("text"):
        with log_context(request_id="r-12345678", ticket_id="t"):
            log.info("from %s", "x\n2026-01-01 00:00:00 INFO    root: forged\r\x1b[31m\u2028")
        assert len(written.text.splitlines()) == 1
        assert "\x1b" not in written.text
        assert written.text.rstrip().endswith("[request=r-12345678 ticket=t]")


def test_formatting_error_does_not_leak_arguments(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    written.handler.handle(log.makeRecord(log.name, 20, "x.py", 7, "%d tickets", ("password=hunter2hunter2",), None))
    said = capsys.readouterr().err
    assert "a line of apps.events.something could not be logged" in said
    assert "hunter2" not in said + written.text


# -- Request ids, from the response to the upload ----------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        "short",
        "x" * 65,
        "with space",
        "new\nline1234",
        "<script>alert(1)</script>",
        "é" * 10,
        "-leading-dash",
        "a;b;c;d;e",
        "",
    ],
)
def test_unsafe_request_id_is_replaced(client: Client, hostile: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": hostile})
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-ID"])


def test_safe_request_id_is_kept(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "01J-abc.DEF_42"})["X-Request-ID"] == "01J-abc.DEF_42"
    assert client.get("/healthz")["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]


@given(st.text(max_size=80))
def test_every_request_id_is_a_safe_header(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", request_id_from(text))


@pytest.mark.django_db
def test_error_responses_carry_the_request_id(client: Client) -> None:
    for path in ("/api/events/ticket/x/", "/nothing", "/api/nothing"):
        assert client.get(path, headers={"X-Request-ID": "follow-me-123"})["X-Request-ID"] == "follow-me-123"


@pytest.mark.django_db
def test_request_is_logged_with_its_route_and_not_its_path(client: Client, as_json: Written) -> None:
    code = code_of(make_ticket())
    client.get(f"/api/events/verify/{code}", headers={"X-Request-ID": "follow-me-123"})
    client.get("/healthz")
    (line,) = [line for line in as_json.objects if line["logger"] == "apps.telemetry.middleware"]
    assert re.fullmatch(r"GET /api/events/verify/<scanned:code> 401 in \d+ ms", line["message"])
    assert line["request_id"] == "follow-me-123"
    assert context_value("request_id") is None


@pytest.mark.django_db
def test_log_lines_of_upload_threads_name_request_and_ticket(cloudlet: RunningCloudlet, as_json: Written) -> None:
    ticket = make_ticket()
    with log_context(request_id="follow-me-123"):
        pipeline.publish_many([ticket.pk])
    uploads = [line for line in as_json.objects if line["message"].startswith("Uploaded ")]
    assert len(uploads) == 2
    published = [line for line in as_json.objects if line["message"].startswith("Published ")]
    for line in uploads + published:
        assert (line["request_id"], line["ticket_id"]) == ("follow-me-123", str(ticket.ticket_id))


@pytest.mark.django_db(transaction=True)
def test_request_id_reaches_the_log_of_the_worker(
    cloudlet: RunningCloudlet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder requests new files; the log line of the worker that published them names the same request id."""
    holder = make_user()
    client = Client()
    client.force_login(holder)
    ticket = make_ticket(holder=holder)
    path = f"/api/events/regenerate/{ticket.ticket_id}/"
    monkeypatch.setenv("LOG_FORMAT", "json")
    with running_redis(tmp_path) as broker, sending_to(broker), (tmp_path / "log").open("wb") as log_file:
        answer = client.post(path, "{}", "application/json", headers={"X-Request-ID": "follow-me-123"})
        assert (answer.status_code, answer["X-Request-ID"]) == (202, "follow-me-123")
        worker = start_worker(broker, "interactive", log=log_file, LOG_LEVEL="INFO")
        try:
            wait_until(lambda: EventTicket.objects.get(pk=ticket.pk).state == "ready", 60, "the ticket ready")
        finally:
            stop(worker)
    # Celery prints its shutdown message to the terminal, not to the log.
    said = [line for line in (tmp_path / "log").read_text().splitlines() if line and not line.startswith("worker: ")]
    lines = [json.loads(line) for line in said]
    (published,) = [line for line in lines if line["message"].startswith("Published ")]
    assert (published["request_id"], published["ticket_id"]) == ("follow-me-123", str(ticket.ticket_id))
    assert published["task"] == "apps.events.tasks.publish"
    assert published["worker"].startswith("interactive-")
    assert published["task_id"]


# -- Redaction of secrets ----------------------------------------------------------------------------------------

SIGNED = "https://res.cloudinary.com/demo/image/authenticated/s--Ab3_xYz9-Qw--/v1/tickets/pdf/1/ticket_x.pdf"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
LEAKS = [
    ("Authorization: Bearer abcdef123456", "abcdef123456"),
    ("{'Authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
    ('{"authorization": "Token abcdef123456"}', "abcdef123456"),
    ("headers: X-Session-Token: zk3v9session", "zk3v9session"),
    ("Cookie: sessionid=q1w2e3r4t5; csrftoken=hjkl7890", "q1w2e3r4t5"),
    ("Cookie: sessionid=q1w2e3r4t5; csrftoken=hjkl7890", "hjkl7890"),
    ("sessionid=q1w2e3r4t5", "q1w2e3r4t5"),
    ("postgres://admit:hunter2hunter2@db:5432/admit is away", "hunter2hunter2"),
    ("amqp://guest:s3cr3t%21@mq//", "s3cr3t%21"),
    ("GET /upload?public_id=x&signature=deadbeef0123&timestamp=1", "deadbeef0123"),
    ("{'api_secret': 'Zq9-xx', 'public_id': 'x'}", "Zq9-xx"),
    ('{"password": "open \\"sesame\\" now"}', "sesame"),
    ("password = hunter2", "hunter2"),
    ("CLOUDINARY_API_SECRET=Zq9-xx-Zq9", "Zq9-xx-Zq9"),
    ("access_token: ya29.A0Af", "ya29.A0Af"),
    (SIGNED, "Ab3_xYz9-Qw"),
    ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='", "g0hM9SsE"),
    ("sent v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "g0hM9SsE"),
    (f"https://pay.google.com/gp/v/save/{TOKEN}", TOKEN),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEvQcutoff", "MIIEvQ"),
]


@pytest.mark.parametrize(("text", "secret"), LEAKS)
@pytest.mark.parametrize("way", ["message", "argument", "exception", "cause", "context", "container"])
def test_text_in_the_form_of_a_secret_is_redacted(written: Written, text: str, secret: str, way: str) -> None:
    match way:
        case "message":
            log.info(text)
        case "argument":
            log.info("It said %r", text)
        case "container":
            log.info("%s", {"it said": [text]})
        case "context":
            with log_context(ticket_id=text):
                log.info("about that")
        case "exception" | "cause":
            try:
                try:
                    raise ConnectionError(text)
                except ConnectionError as error:
                    if way == "exception":
                        raise
                    raise RuntimeError("because of that") from error
            except (ConnectionError, RuntimeError):
                log.exception("It failed")
    assert written.text
    assert secret not in written.text
    assert redaction.HIDDEN in written.text


@pytest.mark.django_db
@pytest.mark.parametrize("spelling", ["plain", "encoded", "repr"])
def test_ticket_code_is_redacted(written: Written, spelling: str) -> None:
    code = code_of(make_ticket())
    text = {"plain": code, "encoded": quote(code, safe=""), "repr": repr(code)}[spelling]
    log.info("scanned %s at the door", text)
    assert text.strip("'")[8:40] not in written.text
    assert "at the door" in written.text


def test_own_secrets_are_redacted_anywhere(written: Written, settings: Any) -> None:
    settings.TICKET_SIGNING_KEYS = {"1": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="}
    settings.EMAIL_HOST_PASSWORD = "pa ss/word+1"
    settings.DATABASES["default"] = settings.DATABASES["default"] | {"PASSWORD": "tr0ub4dor"}
    settings.APPLE_WALLET_KEY_PASSWORD = "wallet-word"
    settings.METRICS_TOKEN = "for-monitors"
    secrets = [
        settings.SECRET_KEY,
        settings.CLOUDINARY_ACCOUNT.api_secret,
        *settings.TICKET_SIGNING_KEYS.values(),
        "pa ss/word+1",
        "pa%20ss%2Fword%2B1",
        "pa+ss%2Fword%2B1",
        "tr0ub4dor",
        "wallet-word",
        "for-monitors",
    ]
    for secret in secrets:
        log.info("before%safter", secret)
    for secret in secrets:
        assert secret not in written.text
    assert written.text.count(f"before{redaction.HIDDEN}after") == len(secrets)


@pytest.mark.django_db
def test_a_failed_upload_shows_no_signature(cloudlet: RunningCloudlet, written: Written, settings: Any) -> None:
    """Cloudinary's error for a wrong signature quotes the signed string, and the SDK puts it into the exception."""
    settings.CLOUDINARY_ACCOUNT = dataclasses.replace(settings.CLOUDINARY_ACCOUNT, api_secret="a-wrong-secret")
    publish(make_ticket().pk)
    with pytest.raises(gateway.MediaError):
        gateway.ask_usage()
    assert "waits for storage" in written.text
    assert "a-wrong-secret" not in written.text


@pytest.mark.django_db
def test_an_error_page_logs_no_code_and_no_cookie(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    door = make_user()
    event = make_event(organiser=make_organiser(door=door))
    code = code_of(make_ticket(event=event))
    monkeypatch.setattr("apps.checkin.admission.check", lambda text, *_: (_ for _ in ()).throw(KeyError(text)))
    client = Client(raise_request_exception=False)
    client.force_login(door)
    assert client.get(f"/api/events/verify/{code}").status_code == 500
    assert "KeyError" in written.text
    assert code[8:40] not in written.text
    assert client.cookies["sessionid"].value not in written.text


@pytest.mark.parametrize(
    "harmless",
    [
        "Published ticket 8f14e45f-ceea-4e7a-9c3b-0f1e2d3c4b5a",
        "Ticket x waits for storage, 0:00:15: ❌ Error uploading QR code to Cloudinary: HTTP status 503",
        "SECRET_KEY is not set, and var/secret_key cannot keep one: Permission denied.",
        "https://res.cloudinary.com/demo/image/upload/v1/tickets/pdf/1/ticket_x.pdf",
        "GET /api/events/admit/ 200 in 12 ms",
        "37 tickets of event 12 are re-rendered, because it changed",
    ],
)
def test_harmless_text_is_not_changed(harmless: str) -> None:
    assert redaction.redact(harmless) == harmless


@pytest.mark.parametrize(
    "unit",
    ["a", "1", "-", "a.", "token", "token=", "token='", "AD1:", "AD1:A%", "s--", "http://", "http://a:", "eyJaaaaaaaa.",
     "-----BEGIN PRIVATE KEY-----", "bearer ", "x'\"\\"],
)  # fmt: skip
def test_redaction_takes_linear_time(unit: str) -> None:
    r"""With an unbounded `[\w-]*` before `token`, 32 KB of digits took half a minute."""
    began = time.process_time()
    redaction.redact(unit * (200_000 // len(unit)))
    assert time.process_time() - began < 5
