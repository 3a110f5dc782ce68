"""The jobs of publishing, besides tickets: deletions of files, and changes of events."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from apps.core.jobs.models import Job, JobQuerySet
from apps.events.models import Event


class StoredFileDeletion(Job):
    """A file of a deleted or re-issued ticket: an entry of the deletion outbox, kept until deletion is confirmed."""

    class Kind(models.TextChoices):
        QR_CODE = "qr_code", "QR code on Cloudinary"
        PDF_TICKET = "pdf_ticket", "PDF on Cloudinary"
        LOCAL_FILE = "local_file", "file on the local storage"

    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField("public id or path", max_length=255)
    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)

    objects: ClassVar[models.Manager[StoredFileDeletion]] = JobQuerySet.as_manager()

    class Meta:
        db_table = "events_storedfiledeletion"
        verbose_name = "file to delete"
        verbose_name_plural = "files to delete"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class ChangedEvent(Job):
    """A change of an event whose stale tickets are to be found (`invalidation.py`); deleted when that is done."""

    # Without a database constraint, because a concurrent deletion of the event must not fail the transaction of the
    # change. The next run deletes an orphaned row.
    event = models.OneToOneField(Event, on_delete=models.CASCADE, related_name="change", db_constraint=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[models.Manager[ChangedEvent]] = JobQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"change of event {self.event_id}"
