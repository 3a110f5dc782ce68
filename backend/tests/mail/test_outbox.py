"""Who wants mail sent does not wait for a mail server, and none is lost when there is no answer from it."""

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
from apps.mail.models import GIVE_UP, OutgoingMail
from config.email_settings import OUTBOX
from tests.environment import free_port
from tests.network_guard import NetworkOutOfPlace
from tests.races import at_once

from .server import MailServer, mail_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture(autouse=True)
def asked(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were sent. Mail goes to a server that nobody started."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = OUTBOX, "127.0.0.1", free_port()
    sent: list[str] = []
    monkeypatch.setattr(dispatch, "send", lambda task, *_: sent.append(task))
    return sent


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with mail_server(settings.EMAIL_PORT) as server:
        yield server


def write(to: str = "ann@example.org", subject: str = "Your code") -> None:
    send_mail(subject, "It is 4711.\n.\nA line of one dot stays.", "tickets@example.org", [to])


def due_now() -> None:
    OutgoingMail.objects.update(next_attempt_at=timezone.now(), lease_until=None)


def test_it_is_written_down_with_what_wants_it_and_sent_afterwards(server: MailServer, asked: list[str]) -> None:
    with transaction.atomic():
        for number in range(3):
            write(subject=f"Number {number}")
        assert asked == []
    assert asked == ["apps.mail.tasks.send_due"]
    assert server.received == []

    sending.send_due()
    assert [message["Subject"] for message in server.received] == ["Number 0", "Number 1", "Number 2"]
    assert server.received[0]["To"] == "ann@example.org"
    assert server.received[0].get_content() == "It is 4711.\n.\nA line of one dot stays.\n"
    assert not OutgoingMail.objects.exists()


def test_what_is_rolled_back_is_not_sent(asked: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write()
        raise ZeroDivisionError
    assert (OutgoingMail.objects.count(), asked) == (0, [])


def test_every_part_and_script_arrives(server: MailServer) -> None:
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


def test_a_line_break_in_a_header_is_refused_before_anything_is_written() -> None:
    with pytest.raises(ValueError, match="newlines"):
        write(subject="Hello\nBcc: everybody@example.org")
    assert not OutgoingMail.objects.exists()


def test_signing_up_works_while_the_mail_server_is_away_and_the_code_arrives_when_it_is_back(settings: Any) -> None:
    form = {"email": "new@example.org", "password": "a long enough passphrase"}
    answer = Client().post("/_allauth/app/v1/auth/signup", form, content_type="application/json")
    assert answer.status_code == 401, "the address has to be confirmed"

    sending.send_due()
    mail = OutgoingMail.objects.get()
    assert mail.attempts == 1
    assert timedelta(seconds=10) < mail.next_attempt_at - timezone.now() < timedelta(minutes=5)

    due_now()
    with mail_server(settings.EMAIL_PORT) as server:
        sending.send_due()
    assert [message["To"] for message in server.received] == ["new@example.org"]
    assert not OutgoingMail.objects.exists()


def test_nobody_sends_in_a_transaction(server: MailServer, network_out_of_place: list[str]) -> None:
    write()
    with pytest.raises(NetworkOutOfPlace), transaction.atomic():
        sending.send_due()
    assert network_out_of_place == ["the network was called in a transaction"]
    network_out_of_place.clear()


def test_a_server_that_is_away_is_asked_once_for_all_that_is_due() -> None:
    for _ in range(3):
        write()
    sending.send_due()
    assert sorted(OutgoingMail.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    OutgoingMail.objects.filter(attempts=0).update(created_at=timezone.now() - timedelta(hours=1))
    backlog = sending.MAIL.backlog()
    assert (backlog.waiting, backlog.retrying, backlog.given_up) == (2, 1, 0)
    assert 3600 <= backlog.oldest < 3700


@pytest.mark.parametrize(("verb", "answer"), [("MAIL", "451 later"), ("DATA", "451 later"), ("RCPT", "450 greylisted")])
def test_what_is_refused_for_now_is_tried_again_and_keeps_nobody_back(
    server: MailServer, verb: str, answer: str
) -> None:
    write("first@example.org")
    server.answers[verb] = answer
    sending.send_due()
    assert OutgoingMail.objects.get().attempts == 1

    del server.answers[verb]
    write("second@example.org")
    sending.send_due()
    assert [message["To"] for message in server.received] == ["second@example.org"]
    due_now()
    sending.send_due()
    assert [message["To"] for message in server.received] == ["second@example.org", "first@example.org"]


def test_an_address_that_is_none_is_given_up_and_the_next_one_served(
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


def test_a_password_that_is_refused_loses_nothing(server: MailServer, settings: Any) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "user", "wrong"
    write()
    sending.send_due()
    assert OutgoingMail.objects.get().attempts == 1


def test_a_connection_that_ends_before_the_answer_means_once_more(server: MailServer) -> None:
    server.hangs_up_after_data = True
    write()
    sending.send_due()
    server.hangs_up_after_data = False
    due_now()
    sending.send_due()
    assert len(server.received) == 1


def test_mail_of_yesterday_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    write()
    OutgoingMail.objects.update(created_at=timezone.now() - GIVE_UP)
    sending.send_due()
    assert not OutgoingMail.objects.exists()
    assert "was given up" in caplog.text


def test_what_a_dead_worker_had_is_sent_when_its_lease_is_over(server: MailServer, asked: list[str]) -> None:
    write()
    assert sending.MAIL.claim(1)
    sending.MAIL.sweep()
    sending.send_due()
    assert server.received == []

    due_now()
    asked.clear()
    sending.MAIL.sweep()
    assert asked == ["apps.mail.tasks.send_due"]
    sending.send_due()
    assert len(server.received) == 1


def test_two_workers_send_each_message_once(server: MailServer) -> None:
    for number in range(20):
        write(subject=str(number))
    at_once([sending.send_due, sending.send_due])
    assert sorted(int(message["Subject"]) for message in server.received) == list(range(20))


def test_without_the_claim_two_workers_send_the_same(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_more_than_a_batch_is_gone_on_with(server: MailServer, asked: list[str]) -> None:
    with transaction.atomic():
        for _ in range(sending.AT_ONCE + 5):
            write()
    asked.clear()
    sending.send_due()
    assert len(server.received) == sending.AT_ONCE
    assert asked == ["apps.mail.tasks.send_due"]
    sending.send_due()
    assert not OutgoingMail.objects.exists()
