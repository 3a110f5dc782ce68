"""Django's way to send mail, without the network: no request waits for a mail server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from .models import OutgoingMail
from .sending import MAIL


class OutboxBackend(BaseEmailBackend):
    """Writes messages down in the sender's transaction; a worker gives them to the mail server after its commit.

    Raises ValueError for what is no message: a line break in an address or a header.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        mails = [_written_down(message) for message in email_messages if message.recipients()]
        OutgoingMail.objects.bulk_create(mails)
        if mails:
            MAIL.send()
        return len(mails)


def _written_down(message: EmailMessage) -> OutgoingMail:
    mime: Any = message.message()  # takes the line ends that are wanted, which the stubs don't know
    return OutgoingMail(
        sender=message.from_email, recipients=message.recipients(), message=mime.as_bytes(linesep="\r\n")
    )
