"""Models of webhook endpoints, and of the outbox of messages to them."""

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

from .signing import new_secret
from .url_policy import validate_url

SECRET_OVERLAP = timedelta(hours=24)  # after a change of the secret, messages are signed with both
TROUBLED_FAILURES = 5  # in a row; from then on, an endpoint gets one message at a time, as a probe (a circuit breaker)


class EventType(models.TextChoices):
    """The types of events that endpoints subscribe to. The values are a public API: add, but never change them."""

    READY = "ticket.ready", "Files are ready"
    FAILED = "ticket.failed", "Files can’t be made"
    REISSUED = "ticket.reissued", "Ticket has a new code"
    DELETED = "ticket.deleted", "Ticket was deleted"


TEST_EVENT_TYPE = "webhook.test"  # sent on request from the back office, whatever the endpoint subscribes to


def all_event_types() -> list[str]:
    return list(EventType.values)


def validate_event_types(chosen: object) -> None:
    if not isinstance(chosen, list) or not chosen or not set(chosen) <= set(EventType.values):
        raise ValidationError("Choose at least one of: " + ", ".join(EventType.values))


class WebhookEndpointQuerySet(PartiallySavedQuerySet["WebhookEndpoint"]):
    def open_at(self, now: datetime) -> WebhookEndpointQuerySet:
        """Return the endpoints that are enabled and not held after failures in a row."""
        return self.filter(Q(held_until=None) | Q(held_until__lte=now), enabled=True)

    def troubled(self) -> WebhookEndpointQuerySet:
        return self.filter(enabled=True, failures__gte=TROUBLED_FAILURES)


class WebhookEndpoint(PartiallySaved):
    """A URL of an organiser's own software that receives messages, and its health."""

    EDITED = ("organiser_id", "url", "description", "event_types", "enabled")
    FIXED = ("created_at",)

    organiser = models.ForeignKey("accounts.Organiser", on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField("URL", max_length=500, validators=[validate_url])
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField("events", default=all_event_types, validators=[validate_event_types])
    enabled = models.BooleanField(
        default=True,
        help_text="While it is off, nothing is sent, and events of that time are not sent later.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Stored in clear text, because every message is signed with it. Shown once, never logged. Only `change_secret`
    # writes these three columns.
    secret = models.CharField(max_length=120, default=new_secret, editable=False)
    previous_secret = models.CharField(max_length=120, blank=True, default="", editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)

    # Health, written by the workers.
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
        return self.failures >= TROUBLED_FAILURES

    def signing_secrets(self, now: datetime) -> list[str]:
        """Return the secrets to sign with, newest first: two within `SECRET_OVERLAP` after a change, else one."""
        overlaps = self.previous_secret and self.previous_secret_until and now < self.previous_secret_until
        return [self.secret, self.previous_secret] if overlaps else [self.secret]

    def change_secret(self, now: datetime) -> None:
        """Give the endpoint a new secret. The previous one stays valid for `SECRET_OVERLAP`, older ones do not."""
        row = type(self).objects.filter(pk=self.pk)
        row.update(secret=new_secret(), previous_secret=F("secret"), previous_secret_until=now + SECRET_OVERLAP)
        self.refresh_from_db(fields=["secret", "previous_secret", "previous_secret_until"])


def new_message_id() -> str:
    return f"msg_{uuid.uuid4().hex}"


def give_up_time() -> datetime:
    return timezone.now() + timedelta(hours=settings.WEBHOOK_RETRY_HOURS)


def _is_leased(now: datetime) -> Q:
    """Return a filter for running leases. Those of the previous version end with `next_attempt_at`."""
    return Q(lease__isnull=False) & (Q(lease_until__gt=now) | Q(next_attempt_at__gt=now))


class WebhookMessageQuerySet(JobQuerySet["WebhookMessage"]):
    def pending(self) -> Self:
        """Return the pending messages, by state: the previous version leaves `next_attempt_at` on settled ones."""
        return self.filter(state=WebhookMessage.State.PENDING)

    def unclaimed(self, now: datetime) -> Self:
        """Return the messages without a running lease."""
        return self.exclude(_is_leased(now))

    def in_flight(self, now: datetime) -> Self:
        """Return the messages with a running lease: a worker is sending them, or died while doing so."""
        return self.pending().filter(_is_leased(now))

    def given_up(self) -> Self:
        return self.filter(state=WebhookMessage.State.FAILED)


class WebhookMessage(Job):
    """A row of the outbox: one message to one endpoint, written in the transaction of the change that it reports.

    The messages about one change have the same `message_id` for all endpoints.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Waiting to be sent"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Given up"

    message_id = models.CharField(max_length=40, default=new_message_id, editable=False)
    # No database constraint: deleting an endpoint concurrently must not fail the transaction that writes messages to
    # it. Orphaned messages are deleted with the old ones.
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="messages", db_constraint=False, db_index=False
    )
    event_type = models.CharField("event", max_length=40)
    ticket_id = models.UUIDField(null=True)  # no foreign key, as the ticket may be deleted; null in test messages
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
