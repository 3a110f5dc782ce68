"""Where webhooks go, and the outbox of what is owed to each of those places."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from apps.core.db.partial_saves import PartiallySaved, PartiallySavedQuerySet
from apps.core.jobs.models import Job, JobQuerySet

from .destinations import validate_url
from .signing import new_secret

OVERLAP = timedelta(hours=24)  # so long after a change of the secret, both sign
TROUBLED = 5  # failures in a row after which an endpoint gets one message at a time, as a probe


class EventType(models.TextChoices):
    """What organisers can be told. The names are a promise to receivers: add, and never change."""

    READY = "ticket.ready", "Files are ready"
    FAILED = "ticket.failed", "Files can’t be made"
    REISSUED = "ticket.reissued", "Ticket has a new code"
    DELETED = "ticket.deleted", "Ticket was deleted"


TEST = "webhook.test"  # what the back office sends when somebody asks for it, whatever the endpoint listens to


def all_event_types() -> list[str]:
    return list(EventType.values)


def validate_event_types(chosen: object) -> None:
    if not isinstance(chosen, list) or not chosen or not set(chosen) <= set(EventType.values):
        raise ValidationError("Choose at least one of: " + ", ".join(EventType.values))


class WebhookEndpointQuerySet(PartiallySavedQuerySet["WebhookEndpoint"]):
    def open_at(self, now: datetime) -> WebhookEndpointQuerySet:
        """Endpoints that are on, and that nothing is to be kept back from after failures in a row."""
        return self.filter(Q(held_until=None) | Q(held_until__lte=now), enabled=True)

    def troubled(self) -> WebhookEndpointQuerySet:
        return self.filter(enabled=True, failures__gte=TROUBLED)


class WebhookEndpoint(PartiallySaved):
    """A URL that an organiser's own software listens at, and how it has been doing."""

    EDITED = ("organiser_id", "url", "description", "event_types", "enabled")
    FIXED = ("created_at",)

    organiser = models.ForeignKey("accounts.Organiser", on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField("URL", max_length=500, validators=[validate_url])
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField("events", default=all_event_types, validators=[validate_event_types])
    enabled = models.BooleanField(
        default=True,
        help_text="While it is off, nothing is sent, and what happens meanwhile is not kept for it.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # In the clear, because every message is signed with it. Never shown but once, never logged. `change_secret` alone
    # writes these three.
    secret = models.CharField(max_length=120, default=new_secret, editable=False)
    previous_secret = models.CharField(max_length=120, blank=True, default="", editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)

    # Written by the workers.
    last_attempt_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_failure_at = models.DateTimeField(null=True, editable=False)
    last_failure = models.CharField(max_length=200, blank=True, default="", editable=False)
    failures = models.PositiveIntegerField("failures in a row", default=0, editable=False)
    held_until = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager[WebhookEndpoint]] = WebhookEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook endpoint"
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["organiser", "url"],
                name="one_webhook_endpoint_an_organiser_and_url",
                violation_error_message="The team has an endpoint with this URL already.",
            )
        ]

    def __str__(self) -> str:
        return self.description or f"Endpoint {self.pk}"  # URLs may carry the receiver's own secrets

    @property
    def is_troubled(self) -> bool:
        return self.failures >= TROUBLED

    def signing_secrets(self, now: datetime) -> list[str]:
        """Newest first: two for a while after a change, so that receivers can follow in their own time."""
        overlaps = self.previous_secret and self.previous_secret_until and now < self.previous_secret_until
        return [self.secret, self.previous_secret] if overlaps else [self.secret]

    def change_secret(self, now: datetime) -> None:
        """Give the endpoint a new secret. The last one signs beside it for `OVERLAP`, and the one before no more."""
        row = type(self).objects.filter(pk=self.pk)
        row.update(secret=new_secret(), previous_secret=F("secret"), previous_secret_until=now + OVERLAP)
        self.refresh_from_db(fields=["secret", "previous_secret", "previous_secret_until"])


def new_message_id() -> str:
    return f"msg_{uuid.uuid4().hex}"


def give_up_time() -> datetime:
    return timezone.now() + timedelta(hours=settings.WEBHOOK_RETRY_HOURS)


def _is_leased(now: datetime) -> Q:
    """Return what is true of a running lease. The leases of the previous version end with `next_attempt_at`."""
    return Q(lease__isnull=False) & (Q(lease_until__gt=now) | Q(next_attempt_at__gt=now))


class WebhookMessageQuerySet(JobQuerySet["WebhookMessage"]):
    def pending(self) -> Self:
        """Return the messages on their way. Settled ones of the previous version have a next attempt too."""
        return self.filter(state=WebhookMessage.State.PENDING)

    def unclaimed(self, now: datetime) -> Self:
        """Return the messages that no worker sends at this moment."""
        return self.exclude(_is_leased(now))

    def under_way(self, now: datetime) -> Self:
        """Return the messages that a worker sends at this moment, or was sending when it died."""
        return self.pending().filter(_is_leased(now))

    def given_up(self) -> Self:
        return self.filter(state=WebhookMessage.State.FAILED)


class WebhookMessage(Job):
    """One message to one endpoint: the outbox row, written in the transaction of what it tells.

    An event that several endpoints are told of has the same `message_id` for all of them.
    """

    class State(models.TextChoices):
        PENDING = "pending", "On its way"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Given up"

    message_id = models.CharField(max_length=40, default=new_message_id, editable=False)
    # Without a constraint of the database: an endpoint that is deleted at the very moment when something happens must
    # not fail the transaction in which it happens. What is left over is pruned.
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="messages", db_constraint=False, db_index=False
    )
    event_type = models.CharField("event", max_length=40)
    ticket_id = models.UUIDField(null=True)  # of tickets that may be gone; null in test messages
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    give_up_at = models.DateTimeField(default=give_up_time)
    last_attempt_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField("status", null=True)

    objects: ClassVar[models.Manager[WebhookMessage]] = WebhookMessageQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook message"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="one_webhook_message_an_endpoint_and_id")
        ]
        indexes = [
            models.Index(fields=["endpoint", "ticket_id"], name="webhook_order", condition=Q(state="pending")),
            models.Index(fields=["endpoint", "next_attempt_at"], name="webhook_due", condition=Q(state="pending")),
            models.Index(fields=["endpoint"], name="webhook_given_up", condition=Q(state="failed")),
            models.Index(fields=["ticket_id"], name="webhook_of_ticket"),
        ]

    def __str__(self) -> str:
        return self.message_id

    @property
    def deadline(self) -> datetime:
        return self.give_up_at
