"""Models of storage checks, and of samples of the account's usage."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.core.jobs.models import Leased


class Examination(Leased):
    """A storage check, from its request to its findings.

    The class keeps its former name, because permission codenames, content types and admin URLs contain it.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped early"  # what was listed is kept
        FAILED = "failed", "Failed"

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )  # None for the command
    asked_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=7, choices=State, default=State.QUEUED)
    # True while the check is open, else None. A unique constraint allows many NULLs, so one check is open at a time.
    is_open = models.BooleanField(null=True, default=True, unique=True)

    listed = models.PositiveIntegerField(default=0)  # files
    compared = models.PositiveIntegerField(default=0)  # tickets
    ready = models.PositiveIntegerField(default=0)  # tickets to compare
    pending = models.PositiveIntegerField(default=0, db_column="owed")  # tickets that wait to be published
    quota_allowed = models.PositiveIntegerField(null=True)
    quota_left = models.PositiveIntegerField(null=True)
    quota_resets_at = models.DateTimeField(null=True)
    # [{"problem": a value of Problem, "count": number, "examples": [text, ...]}]
    findings = models.JSONField(default=list)
    repaired = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True, default="")  # why it stopped or failed

    class Meta:
        db_table = "events_examination"
        ordering: ClassVar = ["-pk"]
        verbose_name = "storage check"
        default_permissions = ("add", "view")

    def __str__(self) -> str:
        return f"{self.asked_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_abandoned(self) -> bool:
        """Return whether the check is open, but no process holds a lease on it."""
        return bool(self.is_open) and (self.lease_until is None or self.lease_until < timezone.now())


class UsageSample(models.Model):
    """The account's usage at one moment, as reported by Cloudinary; None for what the plan does not report."""

    taken_at = models.DateTimeField(default=timezone.now, db_index=True)
    plan = models.CharField(max_length=50, blank=True, default="")
    storage = models.PositiveBigIntegerField(null=True)  # bytes
    bandwidth = models.PositiveBigIntegerField(null=True)  # bytes, within the last 30 days
    transformations = models.PositiveBigIntegerField(null=True)  # within the last 30 days
    objects_stored = models.PositiveBigIntegerField(null=True)
    credits = models.FloatField(null=True)
    credits_limit = models.FloatField(null=True)

    class Meta:
        db_table = "events_usagesample"
        ordering: ClassVar = ["taken_at"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.taken_at:%Y-%m-%d %H:%M} UTC"
