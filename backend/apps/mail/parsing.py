"""A stored message as an object of Django's, for transports that take messages apart, such as Anymail's."""

from __future__ import annotations

import email
from email import encoders, policy
from email.message import EmailMessage, MIMEPart
from email.mime.base import MIMEBase
from email.utils import getaddresses

from django.core.mail import EmailMultiAlternatives

from .models import OutgoingMail

# What the transport writes itself, or what has a place of its own.
OWN_PLACE = {"subject", "from", "to", "cc", "reply-to", "date", "message-id", "mime-version"}


def as_email_message(mail: OutgoingMail) -> EmailMultiAlternatives:
    """Return the message with its texts, its attachments, and every recipient of the envelope."""
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
            if name.lower() not in OWN_PLACE and not name.lower().startswith("content-")
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
