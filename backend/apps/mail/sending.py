"""Sends the mail of the outbox. A message that was taken is deleted; others are tried again.

A worker that dies between the server's answer and the deletion of the row sends that message twice: the price of never
losing one.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import cast

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.core.jobs.kinds import Blame, Failure, Kind, Result, RetryPolicy, Settled, Success
from apps.core.jobs.timing import LEASE

from .models import OutgoingMail
from .parsing import as_email_message

logger = logging.getLogger(__name__)

AT_ONCE = 50  # messages over one connection, before another task may have the worker
# So that a batch that a slow server drags out can't outlast its lease.
BATCH_SECONDS = LEASE.total_seconds() / 2
# What a mail service's API says of the message, rather than of itself.
REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)


class OutgoingMails(Kind[OutgoingMail]):
    """Mail for the server of EMAIL_URL, or for the service of MAIL_TRANSPORT."""

    name = "mail"
    task = "apps.mail.tasks.send_due"
    queue = dispatch.INTERACTIVE  # a person waits for a code
    policy = RetryPolicy(longest=timedelta(minutes=3))

    def settled(self, settled: Sequence[Settled[OutgoingMail]]) -> None:
        for mail, outcome, result, wait in ((each.job, each.outcome, each.result, each.wait) for each in settled):
            if isinstance(outcome, Failure) and result is Result.GIVEN_UP:
                logger.error("Mail %s was given up after %d attempts: %s", mail.pk, mail.attempts, outcome.reason)
            elif isinstance(outcome, Failure) and wait is not None:
                seconds = wait.total_seconds()
                logger.warning(
                    "Mail %s was not sent (%s); it is tried again in %d s.", mail.pk, outcome.reason, seconds
                )


MAIL = OutgoingMails(OutgoingMail)


def send_due() -> None:
    """Send up to `AT_ONCE` messages that are due, the oldest first, and have another task go on if there are more."""
    started = timezone.now()
    connection = get_connection(settings.MAIL_TRANSPORT)
    try:
        for _ in range(AT_ONCE):
            if (timezone.now() - started).total_seconds() > BATCH_SECONDS:
                break
            if not (mails := MAIL.claim(1)):
                return
            outcome = _send(connection, mails[0])
            MAIL.settle([(mails[0], outcome)])
            if isinstance(outcome, Failure) and outcome.blame is Blame.ENVIRONMENT:
                return  # the server is away: the sweep comes back when the others are due
    finally:
        _close(connection)
    MAIL.send()


def _send(connection: BaseEmailBackend, mail: OutgoingMail) -> Success | Failure:
    """Hand one message on. The server's words stay out of the reason: they name addresses."""
    try:
        if isinstance(connection, SmtpBackend):
            _send_by_smtp(connection, mail)
        else:
            connection.send_messages([as_email_message(mail)])
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        reason = "the server refused the recipient: " + ", ".join(map(str, sorted(codes)))
        return Failure(reason, is_final=all(500 <= code < 600 for code in codes))
    except smtplib.SMTPResponseException as error:
        is_refusal = isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError)
        return Failure(
            f"the server answered {error.smtp_code}",
            Blame.JOB if is_refusal else Blame.ENVIRONMENT,
            is_final=is_refusal and error.smtp_code >= 500,
        )
    except Exception as error:  # noqa: BLE001 # of any library behind MAIL_TRANSPORT, told by its type alone
        status = getattr(error, "status_code", None)
        if status is not None:
            return Failure(
                f"the mail service answered {status}", Blame.JOB if status in REFUSALS else Blame.ENVIRONMENT
            )
        if isinstance(error, OSError):
            return Failure(f"{type(error).__name__}: {error}", Blame.ENVIRONMENT)
        return Failure(type(error).__name__)
    return Success()


def _send_by_smtp(connection: SmtpBackend, mail: OutgoingMail) -> None:
    connection.open()
    server = cast(smtplib.SMTP, connection.connection)
    refused = server.sendmail(mail.sender, mail.recipients, bytes(mail.message))
    if refused:  # by some of several; the others have it
        logger.error("Mail %s was refused for %d of %d recipients.", mail.pk, len(refused), len(mail.recipients))


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except OSError as error:  # every message was answered by then
        logger.info("The mail server ended the connection before we did: %s", type(error).__name__)
