"""Send the mail of the outbox, at least once.

A message that the server accepted is deleted, others are retried. If a worker dies after the server accepted a message
and before the row is deleted, the message is sent twice.
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

MESSAGES_PER_TASK = 50  # over one connection, before another task may use the worker
BATCH_SECONDS = LEASE.total_seconds() / 2  # with a slow server, a task must not outlast its lease
# Statuses of a mail service's API that are about the message. All others are about the service.
MESSAGE_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)


class OutgoingMails(Kind[OutgoingMail]):
    """Mail for the server of EMAIL_URL, or the service of MAIL_TRANSPORT."""

    name = "mail"
    task = "apps.mail.tasks.send_due"
    queue = dispatch.INTERACTIVE  # a person waits for a sign-in code
    policy = RetryPolicy(longest=timedelta(minutes=3))

    def settled(self, settled: Sequence[Settled[OutgoingMail]]) -> None:
        for mail, outcome, result, wait in ((each.job, each.outcome, each.result, each.wait) for each in settled):
            if isinstance(outcome, Failure) and result is Result.GIVEN_UP:
                logger.error("Mail %s was given up after %d attempts: %s", mail.pk, mail.attempts, outcome.reason)
            elif isinstance(outcome, Failure) and wait is not None:
                seconds = wait.total_seconds()
                logger.warning(
                    "Mail %s was not sent (%s); it will be retried in %d s.", mail.pk, outcome.reason, seconds
                )


MAIL = OutgoingMails(OutgoingMail)


def send_due() -> None:
    """Send up to MESSAGES_PER_TASK messages that are due, oldest first. Send another task if there may be more."""
    started = timezone.now()
    connection = get_connection(settings.MAIL_TRANSPORT)
    try:
        for _ in range(MESSAGES_PER_TASK):
            if (timezone.now() - started).total_seconds() > BATCH_SECONDS:
                break
            if not (mails := MAIL.claim(1)):
                return
            outcome = _send(connection, mails[0])
            MAIL.settle([(mails[0], outcome)])
            if isinstance(outcome, Failure) and outcome.blame is Blame.ENVIRONMENT:
                return  # the server does not answer: leave the other messages to the next sweep
    finally:
        _close(connection)
    MAIL.send()


def _send(connection: BaseEmailBackend, mail: OutgoingMail) -> Success | Failure:
    """Send one message. The reason of a failure omits the server's text, which may contain addresses."""
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
    except Exception as error:  # noqa: BLE001 # any library may be behind MAIL_TRANSPORT
        status = getattr(error, "status_code", None)
        if status is not None:
            return Failure(
                f"the mail service answered {status}", Blame.JOB if status in MESSAGE_REFUSED else Blame.ENVIRONMENT
            )
        if isinstance(error, OSError):
            return Failure(f"{type(error).__name__}: {error}", Blame.ENVIRONMENT)
        return Failure(type(error).__name__)
    return Success()


def _send_by_smtp(connection: SmtpBackend, mail: OutgoingMail) -> None:
    connection.open()
    server = cast(smtplib.SMTP, connection.connection)
    refused = server.sendmail(mail.sender, mail.recipients, bytes(mail.message))
    if refused:  # some of several recipients; the others have the message
        logger.error("Mail %s was refused for %d of %d recipients.", mail.pk, len(refused), len(mail.recipients))


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except OSError as error:  # every message has its result by now
        logger.info("The mail server ended the connection before we did: %s", type(error).__name__)
