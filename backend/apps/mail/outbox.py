"""Provide the email backend that writes to the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from .models import OutgoingMail
from .sending import MAIL


class OutboxBackend(BaseEmailBackend):
    """Write messages to the outbox, in the sender's transaction. A worker sends them after the commit.

    Raises ValueError for a line break in an address or a header.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        mails = [_row_of(message) for message in email_messages if message.recipients()]
        OutgoingMail.objects.bulk_create(mails)
        if mails:
            MAIL.send()
        return len(mails)


def _row_of(message: EmailMessage) -> OutgoingMail:
    mime: Any = message.message()  # as_bytes() takes `linesep`, which the stubs lack
    return OutgoingMail(
        sender=message.from_email, recipients=message.recipients(), message=mime.as_bytes(linesep="\r\n")
    )
