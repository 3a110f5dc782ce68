"""The table of accepted codes that are not signed: from before signing, or read from legacy files."""

from __future__ import annotations

import hashlib

from django.db import models
from django.utils import timezone


class TicketCode(models.Model):
    """An unsigned text that is accepted as the code of a ticket, because its holder has it on paper.

    Only the digest of the text is stored. If two tickets claim a text, it is accepted for neither. When a ticket is
    deleted, the row stays without a ticket, so that no other ticket can claim the text.
    """

    class Source(models.TextChoices):
        TICKET_ID = "ticket_id", "the id of a ticket from before codes were signed"
        PICTURE = "picture", "the ticket's old picture"

    ticket = models.ForeignKey("events.EventTicket", on_delete=models.SET_NULL, null=True, related_name="codes")
    digest = models.CharField(max_length=64)
    source = models.CharField(max_length=20, choices=Source)
    created_at = models.DateTimeField(default=timezone.now)
    dead_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["digest"], name="one_ticket_a_code")]

    def __str__(self) -> str:
        return self.digest


def digest_of(text: str) -> str:
    """Return the SHA-256 digest of the text, which may contain lone surrogates, as untrusted input can."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
