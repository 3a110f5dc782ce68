"""The model of the mail outbox."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from apps.core.jobs.models import Job, JobQuerySet

GIVE_UP_AFTER = timedelta(hours=24)


class OutgoingMail(Job):
    """A row of the outbox: one message, written in the transaction that sends it, deleted once a server accepted it.

    It may contain a sign-in code, so no page shows it.
    """

    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)
    sender = models.TextField()
    recipients = models.JSONField()
    message = models.BinaryField()  # as sent to the server (RFC 5322)

    objects: ClassVar[models.Manager[OutgoingMail]] = JobQuerySet.as_manager()

    def __str__(self) -> str:
        return f"mail {self.pk}"

    @property
    def deadline(self) -> datetime:
        return self.created_at + GIVE_UP_AFTER
