"""Gives the mail that is owed to the mail server. A message that was taken is forgotten; others are tried again.

A worker that dies between the server's answer and the row's deletion sends that message twice: the price of never
losing one.
"""

from __future__ import annotations

import logging
import smtplib
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from django.core.mail.backends.smtp import EmailBackend
from django.db.models import Count, F, Min
from django.utils import timezone

from apps.core.jobs.timing import LEASE, backoff

from .models import OutgoingMail
from .outbox import send_soon

logger = logging.getLogger(__name__)

AT_ONCE = 50  # messages over one connection, before somebody else may have the worker
LONGEST_WAIT = timedelta(minutes=5)  # between two attempts: somebody waits for the code
GIVE_UP = timedelta(hours=24)
# So that a batch that a slow server drags out can't outlast its lease.
BATCH_SECONDS = LEASE.total_seconds() / 2


def send_due() -> None:
    """Send up to `AT_ONCE` messages that are due, the oldest first, and have another task go on if there are more."""
    started = timezone.now()
    connection = EmailBackend()  # to the server of EMAIL_URL
    try:
        for _ in range(AT_ONCE):
            if (timezone.now() - started).total_seconds() > BATCH_SECONDS:
                break
            mail = _claim()
            if mail is None:
                return
            try:
                _send(connection, mail)
            except OSError as error:  # smtplib's own are such, too
                _put_off(mail, error)
                if not _is_about_this_message(error):
                    return  # the server is away: the sweep comes back when the others are due
            else:
                OutgoingMail.objects.filter(pk=mail.pk, lease=mail.lease).delete()
    finally:
        _close(connection)
    send_soon()


def sweep() -> None:
    """Have what is due sent, whoever was to do it."""
    if OutgoingMail.objects.due(timezone.now()).exists():
        send_soon()


@dataclass(frozen=True, slots=True)
class MailBacklog:
    """What the mail server has not taken yet, and for how many seconds the oldest has waited; or 0."""

    mail_pending: int
    mail_oldest: float


def backlog() -> MailBacklog:
    owed = OutgoingMail.objects.aggregate(number=Count("pk"), since=Min("created_at"))
    age = (timezone.now() - owed["since"]).total_seconds() if owed["since"] else 0.0
    return MailBacklog(mail_pending=owed["number"], mail_oldest=age)


def _claim() -> OutgoingMail | None:
    """The message that is due longest, for as long as a lease; of several workers one gets it."""
    now = timezone.now()
    for pk in OutgoingMail.objects.due(now).order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:AT_ONCE]:
        lease = uuid.uuid4()
        claimed = OutgoingMail.objects.due(now).filter(pk=pk)
        if claimed.update(lease=lease, next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
            return OutgoingMail.objects.filter(pk=pk, lease=lease).first()
    return None


def _send(connection: EmailBackend, mail: OutgoingMail) -> None:
    connection.open()
    server = cast(smtplib.SMTP, connection.connection)
    refused = server.sendmail(mail.sender, mail.recipients, bytes(mail.message))
    if refused:  # by some of several; the others have it
        logger.error("Mail %s was refused for %d of %d recipients.", mail.pk, len(refused), len(mail.recipients))


def _close(connection: EmailBackend) -> None:
    try:
        connection.close()
    except OSError as error:  # every message was answered by then
        logger.info("The mail server ended the connection before we did: %s", type(error).__name__)


def _is_about_this_message(error: OSError) -> bool:
    return isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPSenderRefused | smtplib.SMTPDataError)


def _is_final(error: OSError) -> bool:
    """Whether the server said that it will never take this message (a 5xx answer about it)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _ in error.recipients.values())
    return _is_about_this_message(error) and isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500


def _put_off(mail: OutgoingMail, error: OSError) -> None:
    """Write down when it is tried again, or give it up. The server's words stay out of the log: they name addresses."""
    now = timezone.now()
    ours = OutgoingMail.objects.filter(pk=mail.pk, lease=mail.lease)
    what = _named(error)
    if _is_final(error) or now - mail.created_at > GIVE_UP:
        ours.delete()
        logger.error("Mail %s was given up after %d attempts: %s", mail.pk, mail.attempts, what)
        return
    wait = min(backoff(mail.attempts), LONGEST_WAIT)
    ours.update(lease=None, next_attempt_at=now + wait)
    logger.warning("Mail %s was not sent (%s); it is tried again in %d s.", mail.pk, what, wait.total_seconds())


def _named(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the server refused the recipient: " + ", ".join(sorted({str(c) for c, _ in error.recipients.values()}))
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the server answered {error.smtp_code}"
    return f"{type(error).__name__}: {error}"
