"""The table of codes that were issued elsewhere, or before codes were signed, and that the door accepts."""

from __future__ import annotations

import hashlib

from django.db import models
from django.utils import timezone


class TicketCode(models.Model):
    """A text that lets a ticket's holder in although it is not signed: it is what the holder has on paper.

    The text itself is not kept. A text that two tickets claim is accepted for neither. The text of a deleted ticket is
    accepted for no other: its row stays, without a ticket.
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
    """Return the SHA-256 of exactly this text, which may hold anything that a scanner or a request brings."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
