"""Parse a stored message into Django's `EmailMessage`, for transports such as Anymail's that call an API."""

from __future__ import annotations

import email
from email import encoders, policy
from email.message import EmailMessage, MIMEPart
from email.mime.base import MIMEBase
from email.utils import getaddresses

from django.core.mail import EmailMultiAlternatives

from .models import OutgoingMail

# Headers that the transport writes, or that are attributes of the message.
HANDLED_HEADERS = {"subject", "from", "to", "cc", "reply-to", "date", "message-id", "mime-version"}


def as_email_message(mail: OutgoingMail) -> EmailMultiAlternatives:
    """Return the message with its texts and attachments. Envelope recipients that no header names are in `bcc`."""
    parsed = email.message_from_bytes(bytes(mail.message), _class=EmailMessage, policy=policy.default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    to, cc = _addresses(parsed, "To"), _addresses(parsed, "Cc")
    named = {address for _, address in getaddresses([*to, *cc])}
    message = EmailMultiAlternatives(
        subject=parsed["Subject"],
        body=text.get_content() if text else "",
        from_email=parsed["From"],
        to=to,
        cc=cc,
        bcc=[address for address in mail.recipients if getaddresses([address])[0][1] not in named],
        reply_to=_addresses(parsed, "Reply-To"),
        headers={
            name: str(value)
            for name, value in parsed.items()
            if name.lower() not in HANDLED_HEADERS and not name.lower().startswith("content-")
        },
    )
    if html:
        message.attach_alternative(html.get_content(), "text/html")
    for part in parsed.walk():
        if not part.is_multipart() and part not in (text, html):
            message.attach(_attachment(part))
    return message


def _addresses(parsed: EmailMessage, header: str) -> list[str]:
    return [str(address) for value in parsed.get_all(header, []) for address in value.addresses]


def _attachment(part: MIMEPart) -> MIMEBase:
    attachment = MIMEBase(part.get_content_maintype(), part.get_content_subtype())
    attachment.set_payload(part.get_payload(decode=True))
    encoders.encode_base64(attachment)
    for name in ("Content-ID", "Content-Disposition"):
        if name in part:
            attachment[name] = str(part[name])
    return attachment
