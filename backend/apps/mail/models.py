"""The outbox of mail: written in the transaction that sends it, deleted once the mail server has taken it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from apps.core.jobs.models import Job, JobQuerySet

GIVE_UP = timedelta(hours=24)


class OutgoingMail(Job):
    """One message. It may hold a code for signing in, so no page shows it, and it is deleted as soon as it is sent."""

    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)
    sender = models.TextField()
    recipients = models.JSONField()
    message = models.BinaryField()  # as it goes to the server (RFC 5322)

    objects: ClassVar[models.Manager[OutgoingMail]] = JobQuerySet.as_manager()

    def __str__(self) -> str:
        return f"mail {self.pk}"

    @property
    def deadline(self) -> datetime:
        return self.created_at + GIVE_UP
