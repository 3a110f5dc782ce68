"""Test the mail outbox: senders do not wait for a mail server, and no message is lost while it is down."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.mail import sending
from apps.mail.models import GIVE_UP_AFTER, OutgoingMail
from config.email_settings import OUTBOX
from tests.environment import free_port
from tests.network_guard import MisplacedNetworkCallError
from tests.races import at_once

from .server import MailServer, mail_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases, pytest.mark.integration]


@pytest.fixture(autouse=True)
def sent_tasks(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of tasks that are sent. The settings name a mail server that is not running."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = OUTBOX, "127.0.0.1", free_port()
    tasks: list[str] = []
    monkeypatch.setattr(dispatch, "send", lambda task, *_: tasks.append(task))
    return tasks


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with mail_server(settings.EMAIL_PORT) as server:
        yield server


def write(to: str = "ann@example.org", subject: str = "Your code") -> None:
    send_mail(subject, "It is 4711.\n.\nA line of one dot stays.", "tickets@example.org", [to])


def make_all_due() -> None:
    OutgoingMail.objects.update(next_attempt_at=timezone.now(), lease_until=None)


def test_mail_is_written_in_the_transaction_and_sent_after_commit(server: MailServer, sent_tasks: list[str]) -> None:
    with transaction.atomic():
        for number in range(3):
            write(subject=f"Number {number}")
        assert sent_tasks == []
    assert sent_tasks == ["apps.mail.tasks.send_due"]
    assert server.received == []

    sending.send_due()
    assert [message["Subject"] for message in server.received] == ["Number 0", "Number 1", "Number 2"]
    assert server.received[0]["To"] == "ann@example.org"
    assert server.received[0].get_content() == "It is 4711.\n.\nA line of one dot stays.\n"
    assert not OutgoingMail.objects.exists()


def test_mail_of_a_rolled_back_transaction_is_not_sent(sent_tasks: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write()
        raise ZeroDivisionError
    assert (OutgoingMail.objects.count(), sent_tasks) == (0, [])


def test_all_parts_and_scripts_arrive(server: MailServer) -> None:
    message = EmailMultiAlternatives(
        "入場券", "नमस्ते", "tickets@example.org", ["ann@example.org"], bcc=["bob@example.org"]
    )
    message.attach_alternative("<p>नमस्ते</p>", "text/html")
    message.send()
    sending.send_due()

    (received,) = server.received
    assert received["Subject"] == "入場券"
    assert received["Bcc"] is None
    text, html = received.iter_parts()
    assert text.get_content().strip() == "नमस्ते"
    assert html.get_content().strip() == "<p>नमस्ते</p>"


def test_line_break_in_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="newlines"):
        write(subject="Hello\nBcc: everybody@example.org")
    assert not OutgoingMail.objects.exists()


def test_sign_up_works_while_the_mail_server_is_down(settings: Any) -> None:
    form = {"email": "new@example.org", "password": "a long enough passphrase"}
    answer = Client().post("/_allauth/app/v1/auth/signup", form, content_type="application/json")
    assert answer.status_code == 401, "the address has to be confirmed"

    sending.send_due()
    mail = OutgoingMail.objects.get()
    assert mail.attempts == 1
    assert timedelta(seconds=10) < mail.next_attempt_at - timezone.now() < timedelta(minutes=5)

    make_all_due()
    with mail_server(settings.EMAIL_PORT) as server:
        sending.send_due()
    assert [message["To"] for message in server.received] == ["new@example.org"]
    assert not OutgoingMail.objects.exists()


def test_sending_in_a_transaction_fails_the_test(server: MailServer, network_out_of_place: list[str]) -> None:
    write()
    with pytest.raises(MisplacedNetworkCallError), transaction.atomic():
        sending.send_due()
    assert network_out_of_place == ["the network was called in a transaction"]
    network_out_of_place.clear()


def test_unreachable_server_is_tried_once_for_all_messages() -> None:
    for _ in range(3):
        write()
    sending.send_due()
    assert sorted(OutgoingMail.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    OutgoingMail.objects.filter(attempts=0).update(created_at=timezone.now() - timedelta(hours=1))
    backlog = sending.MAIL.backlog()
    assert (backlog.waiting, backlog.retrying, backlog.given_up) == (2, 1, 0)
    assert 3600 <= backlog.oldest < 3700


@pytest.mark.parametrize(("verb", "answer"), [("MAIL", "451 later"), ("DATA", "451 later"), ("RCPT", "450 greylisted")])
def test_temporary_refusal_is_retried_and_does_not_block_others(server: MailServer, verb: str, answer: str) -> None:
    write("first@example.org")
    server.answers[verb] = answer
    sending.send_due()
    assert OutgoingMail.objects.get().attempts == 1

    del server.answers[verb]
    write("second@example.org")
    sending.send_due()
    assert [message["To"] for message in server.received] == ["second@example.org"]
    make_all_due()
    sending.send_due()
    assert [message["To"] for message in server.received] == ["second@example.org", "first@example.org"]


def test_refused_recipient_is_given_up_and_does_not_block_others(
    server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers["nobody@example.org"] = "550 no such person: nobody@example.org"
    write("nobody@example.org")
    write("ann@example.org")
    with caplog.at_level(logging.DEBUG):
        sending.send_due()
    assert [message["To"] for message in server.received] == ["ann@example.org"]
    assert not OutgoingMail.objects.exists()
    assert "was given up after 1 attempts: the server refused the recipient: 550" in caplog.text
    assert "@example.org" not in caplog.text
    assert "4711" not in caplog.text


def test_mail_is_kept_if_the_password_is_refused(server: MailServer, settings: Any) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "user", "wrong"
    write()
    sending.send_due()
    assert OutgoingMail.objects.get().attempts == 1


def test_mail_is_retried_if_the_connection_ends_before_the_reply(server: MailServer) -> None:
    server.hangs_up_after_data = True
    write()
    sending.send_due()
    server.hangs_up_after_data = False
    make_all_due()
    sending.send_due()
    assert len(server.received) == 1


def test_mail_is_given_up_after_a_day(caplog: pytest.LogCaptureFixture) -> None:
    write()
    OutgoingMail.objects.update(created_at=timezone.now() - GIVE_UP_AFTER)
    sending.send_due()
    assert not OutgoingMail.objects.exists()
    assert "was given up" in caplog.text


def test_mail_of_a_dead_worker_is_sent_after_its_lease(server: MailServer, sent_tasks: list[str]) -> None:
    write()
    assert sending.MAIL.claim(1)
    sending.MAIL.sweep()
    sending.send_due()
    assert server.received == []

    make_all_due()
    sent_tasks.clear()
    sending.MAIL.sweep()
    assert sent_tasks == ["apps.mail.tasks.send_due"]
    sending.send_due()
    assert len(server.received) == 1


def test_concurrent_workers_send_each_message_once(server: MailServer) -> None:
    for number in range(20):
        write(subject=str(number))
    at_once([sending.send_due, sending.send_due])
    assert sorted(int(message["Subject"]) for message in server.received) == list(range(20))


def test_workers_without_claims_send_messages_twice(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    for number in range(20):
        write(subject=str(number))
    at_once([_send_all_unclaimed, _send_all_unclaimed])
    assert len(server.received) > 20


def _send_all_unclaimed() -> None:
    connection = sending.SmtpBackend()
    for mail in list(OutgoingMail.objects.order_by("pk")):
        sending._send_by_smtp(connection, mail)
        OutgoingMail.objects.filter(pk=mail.pk).delete()
    connection.close()


def test_full_batch_is_continued_by_another_task(server: MailServer, sent_tasks: list[str]) -> None:
    with transaction.atomic():
        for _ in range(sending.MESSAGES_PER_TASK + 5):
            write()
    sent_tasks.clear()
    sending.send_due()
    assert len(server.received) == sending.MESSAGES_PER_TASK
    assert sent_tasks == ["apps.mail.tasks.send_due"]
    sending.send_due()
    assert not OutgoingMail.objects.exists()
