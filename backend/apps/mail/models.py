"""Mail that is owed to the mail server: written down in the transaction that wants it, gone once it was taken."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    def due(self, now: datetime) -> OutgoingMailQuerySet:
        return self.filter(next_attempt_at__lte=now)


class OutgoingMail(models.Model):
    """One message. It may hold a code for signing in, so nothing shows it, and it is kept no longer than it must be."""

    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now, db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    lease = models.UUIDField(null=True)
    sender = models.TextField()
    recipients = models.JSONField()
    message = models.BinaryField()  # as it goes to the server (RFC 5322)

    objects = OutgoingMailQuerySet.as_manager()

    def __str__(self) -> str:
        return f"mail {self.pk}"
