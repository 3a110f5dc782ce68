"""Test that the outbox sends mail by the email backend of MAIL_TRANSPORT, such as those of Anymail."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.mime.image import MIMEImage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from environs import Env

from apps.core.jobs import dispatch
from apps.mail import sending
from apps.mail.models import OutgoingMail
from config.email_settings import OUTBOX, read_email
from tests.pictures import EMPTY_PAGE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]

POSTMARK = "anymail.backends.postmark.EmailBackend"


class MailService:
    """A fake of Postmark's API."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[dict[str, Any]] = []
        self.address = ""


@contextmanager
def mail_service() -> Iterator[MailService]:
    service = MailService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if service.status == 200:
                service.received.append(posted)
            body = json.dumps({"ErrorCode": 0, "Message": "OK", "MessageID": "1", "To": posted["To"]}).encode()
            self.send_response(service.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.address = f"http://127.0.0.1:{server.server_address[1]}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield service
        server.shutdown()


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailService]:
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    with mail_service() as service:
        settings.EMAIL_BACKEND, settings.MAIL_TRANSPORT = OUTBOX, POSTMARK
        settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "a token", "POSTMARK_API_URL": service.address}
        yield service


def write() -> None:
    message = EmailMultiAlternatives(
        "入場券", "नमस्ते", "Ruë <tickets@example.org>", ["Ann <ann@example.org>"], bcc=["bob@example.org"],
        cc=["cyd@example.org"], reply_to=["organiser@example.org"], headers={"X-Order": "4711"},
    )  # fmt: skip
    message.attach_alternative('<p>नमस्ते <img src="cid:code"></p>', "text/html")
    picture = MIMEImage(b"\x89PNG picture", "png")
    picture["Content-ID"] = "<code>"
    picture["Content-Disposition"] = "inline"
    message.attach(picture)
    message.attach("ticket.pdf", EMPTY_PAGE, "application/pdf")
    message.send()


def test_service_gets_every_part_of_the_message(service: MailService) -> None:
    write()
    sending.send_due()

    assert not OutgoingMail.objects.exists()
    (sent,) = service.received
    assert (sent["Subject"], sent["TextBody"].strip()) == ("入場券", "नमस्ते")
    assert sent["HtmlBody"].strip() == '<p>नमस्ते <img src="cid:code"></p>'
    assert (sent["From"], sent["To"], sent["Cc"], sent["Bcc"]) == (
        "Ruë <tickets@example.org>", "Ann <ann@example.org>", "cyd@example.org", "bob@example.org",
    )  # fmt: skip
    assert sent["ReplyTo"] == "organiser@example.org"
    assert {"Name": "X-Order", "Value": "4711"} in sent["Headers"]
    files = {each["ContentType"]: each for each in sent["Attachments"]}
    assert base64.b64decode(files["image/png"]["Content"]) == b"\x89PNG picture"
    assert files["image/png"]["ContentID"] == "cid:code"
    assert base64.b64decode(files["application/pdf"]["Content"]) == EMPTY_PAGE
    assert files["application/pdf"]["Name"] == "ticket.pdf"


@pytest.mark.parametrize(("status", "attempts"), [(503, [0, 1]), (401, [0, 1]), (413, [1, 1])])
def test_service_failure_ends_the_batch_but_a_refused_message_does_not(
    service: MailService, status: int, attempts: list[int]
) -> None:
    write()
    write()
    service.status = status
    sending.send_due()
    assert sorted(OutgoingMail.objects.values_list("attempts", flat=True)) == attempts
    assert set(OutgoingMail.objects.exclude(attempts=0).values_list("reason", flat=True)) == {
        f"the mail service answered {status}"
    }

    service.status = 200
    OutgoingMail.objects.update(next_attempt_at=timezone.now(), lease_until=None)
    sending.send_due()
    assert len(service.received) == 2


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "")
    monkeypatch.setenv("MAIL_TRANSPORT", POSTMARK)
    monkeypatch.setenv("ANYMAIL_POSTMARK_SERVER_TOKEN", "a secret token")
    monkeypatch.setenv("ANYMAIL_REQUESTS_TIMEOUT", "10")
    found = read_email(Env())
    assert (found["EMAIL_BACKEND"], found["MAIL_TRANSPORT"]) == (OUTBOX, POSTMARK)
    assert found["ANYMAIL"] == {"POSTMARK_SERVER_TOKEN": "a secret token", "REQUESTS_TIMEOUT": "10"}
    assert found["ANYMAIL_SECRETS"] == {"POSTMARK_SERVER_TOKEN": "a secret token"}


def test_check_reports_a_transport_that_is_not_installed(settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.MAIL_TRANSPORT = OUTBOX, "anymail.backends.pigeon.EmailBackend"
    (error,) = [each for each in run_checks() if each.id == "events.E006"]
    assert "anymail.backends.pigeon.EmailBackend" in error.msg
    assert "pip install" in str(error.hint)
