"""Events, ticket types and tickets. The database is the source of truth; files on storage follow it.

`save()` writes only the changed ones of the columns that people edit. Only `ticket_columns.py` writes a ticket's other
columns, except the columns of its job, which `apps/core/jobs/` writes.
"""

from __future__ import annotations

import uuid
import zoneinfo
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

import ticketkit
from apps.core.addresses import AddressField
from apps.core.db.partial_saves import PartiallySaved, PartiallySavedQuerySet
from apps.core.jobs.models import Job, JobQuerySet
from apps.core.jobs.timing import first_sweep
from apps.core.validators import CheckedText, validate_time_zone
from apps.storage import fields, gateway

from .ticket_codes import TicketCode as TicketCode

if TYPE_CHECKING:
    from apps.accounts.models import User


class Event(CheckedText, PartiallySaved):
    """An event with tickets. Its times are stored in UTC and shown in its own time zone."""

    TEXTS_WITH_LINES = ("address",)
    EDITED = (
        "organiser_id", "title", "description", "starts_at", "ends_at", "doors_at", "time_zone", "language", "venue",
        "address", "terms", "accent", "layout",
    )  # fmt: skip
    FIXED = ("created_at",)

    organiser = models.ForeignKey("accounts.Organiser", on_delete=models.PROTECT, related_name="events")
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    doors_at = models.DateTimeField("doors open", null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    language = models.CharField(
        max_length=35,
        default="en",
        help_text="Language of the labels and dates on the tickets, such as en, de, ar or zh-Hans.",
        validators=[RegexValidator(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "Use a code such as en or pt-BR.")],
    )
    venue = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=300, blank=True)
    terms = models.TextField(blank=True, help_text="Small print on the ticket.")
    accent = models.CharField(
        "accent colour",
        max_length=7,
        blank=True,
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "Use six hexadecimal digits, such as #0f766e.")],
    )
    layout = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text="Changes to the built-in layout of the tickets; empty for the A4 layout.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    # The digest of what its tickets print of the event, as of the last invalidation (`publishing/invalidation.py`).
    # The column keeps its old name, as do `published_face` and `wished_at` below, because processes of the previous
    # version use it during a deployment.
    fingerprint = models.CharField(db_column="face", max_length=64, blank=True, default="", editable=False)
    # Written by processes of the previous version during a deployment.
    republish_after = models.DateTimeField(null=True, editable=False, db_index=True)

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")),
                name="event_ends_after_it_starts",
                violation_error_message="The event ends before it starts.",
            ),
            models.CheckConstraint(
                condition=Q(doors_at=None) | Q(doors_at__lte=F("starts_at")),
                name="event_doors_open_before_it_starts",
                violation_error_message="The doors open after the event starts.",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Raise ValidationError for a title without visible characters, and for an invalid layout."""
        if self.title and not ticketkit.clean_text(self.title):
            raise ValidationError({"title": "This title has no visible characters. Type it again."})
        try:
            ticketkit.load_layout(self.layout)
        except ticketkit.RenderingError as error:
            raise ValidationError({"layout": str(error)}) from error

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The event's time zone; UTC if this machine's time zone database does not have its name."""
        try:
            return zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return zoneinfo.ZoneInfo("UTC")

    def local(self, moment: datetime) -> datetime:
        """Convert a moment to the event's time zone."""
        return ticketkit.local_time(moment, self.zone)


class EventImage(models.Model):
    """A picture of an event, validated and scaled down (see `event_images.py`).

    It is stored in the database, so that workers on any machine can draw it, and saving it does not use the network.
    """

    class Kind(models.TextChoices):
        COVER = "cover"
        LOGO = "logo"

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="images")
    kind = models.CharField(max_length=5, choices=Kind)
    content = models.BinaryField(editable=False)
    media_type = models.CharField(max_length=20, editable=False)
    sha256 = models.CharField(max_length=64, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "kind"], name="one_image_an_event_and_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.event}"


class TicketType(CheckedText):
    """A category of an event's tickets, such as “Standing” or “Balcony”."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="ticket_types")
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0, validators=[MinValueValidator(0)])
    currency = models.CharField(
        max_length=3, default="EUR", validators=[RegexValidator(r"^[A-Z]{3}$", "Use an ISO 4217 code such as EUR.")]
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["event", "name"], name="one_ticket_type_an_event_and_name"),
            models.CheckConstraint(condition=Q(price__gte=0), name="ticket_type_price_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name


CHANGED_EVENT = "A ticket stays with its event, which its code names. Delete it, and issue one for the other event."


class EventTicketQuerySet(PartiallySavedQuerySet["EventTicket"], JobQuerySet["EventTicket"]):  # type: ignore[override]
    # Set by `issuing.delete_many`, which sends one signal for all tickets of the query.
    is_bulk_deletion = False

    def pending(self) -> EventTicketQuerySet:
        """Return the tickets whose files are pending. The condition on `state` uses their partial index."""
        return super().pending().filter(state__in=(EventTicket.State.PENDING, EventTicket.State.FAILED))

    def given_up(self) -> EventTicketQuerySet:
        """Return the tickets whose files are not retried unless a person requests it."""
        return self.filter(state=EventTicket.State.FAILED, next_attempt_at=None)

    def held_by(self, user: User) -> EventTicketQuerySet:
        """Return the user's tickets: issued to the account, or to an address that the user has confirmed."""
        confirmed = user.emailaddress_set.filter(verified=True).values("email")  # type: ignore[attr-defined]
        return self.filter(Q(holder=user) | Q(holder=None, holder_email__in=confirmed))


class EventTicket(CheckedText, PartiallySaved, Job):
    """A ticket: its holder, the generation of its code, and the state of its two files.

    Saving a changed value that is printed requests new files. `update()` and `bulk_update()` send no signals, so call
    `publishing.requests.rerender_many` on the same rows after them. `ticket_doctor` finds tickets with stale files.
    """

    # The columns of the ticket itself that are printed.
    PRINTED = ("holder_name", "holder_email", "quantity", "ticket_type_id", "order_reference")
    EDITED = (*PRINTED, "event_id", "holder_id", "qr_code", "pdf_ticket")
    FIXED = ("ticket_id", "issued_at")

    class State(models.TextChoices):
        PENDING = "pending", "Waiting for files"
        READY = "ready", "Files are ready"
        FAILED = "failed", "The last attempt failed"

    ticket_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="tickets")
    ticket_type = models.ForeignKey(
        TicketType, on_delete=models.RESTRICT, null=True, blank=True, related_name="tickets"
    )
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="tickets"
    )
    holder_name = models.CharField(max_length=200, blank=True)
    holder_email = AddressField("holder's e-mail", blank=True, db_index=True)
    quantity = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    order_reference = models.CharField(max_length=40, blank=True)
    issued_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(null=True, blank=True, editable=False)

    # Each re-issue raises the generation, which invalidates all earlier codes (including those of `TicketCode`).
    code_generation = models.PositiveSmallIntegerField(default=0, editable=False)

    # The published files: empty until the ticket is published or imported from local storage, and after a re-issue.
    qr_code = fields.TicketImageField(upload_to="qr_codes/", blank=True, editable=False)
    qr_code_cloudinary_id = models.CharField(max_length=255, blank=True, default="", editable=False)
    qr_code_version = models.PositiveBigIntegerField(null=True, editable=False)
    qr_code_etag = models.CharField(max_length=64, blank=True, default="", editable=False)
    pdf_ticket = fields.TicketFileField(upload_to="pdf_tickets/", blank=True, editable=False)
    pdf_ticket_cloudinary_id = models.CharField(max_length=255, blank=True, default="", editable=False)
    pdf_ticket_version = models.PositiveBigIntegerField(null=True, editable=False)
    pdf_ticket_etag = models.CharField(max_length=64, blank=True, default="", editable=False)
    # The local files that were imported to Cloudinary; empty once they are deleted.
    qr_code_local = models.CharField(max_length=255, blank=True, default="", editable=False)
    pdf_ticket_local = models.CharField(max_length=255, blank=True, default="", editable=False)
    published_generation = models.PositiveSmallIntegerField(null=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    published_fingerprint = models.CharField(
        db_column="published_face", max_length=64, blank=True, default="", editable=False
    )
    # The random suffix of both public ids, new with every re-issue: of the ticket, and of the published files.
    public_id_suffix = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    published_suffix = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    # The job of making the files.
    state = models.CharField(max_length=8, choices=State, default=State.PENDING, editable=False)
    # The time of the last request for files. The database has the default too, as for `Event.layout`: during a
    # deployment, processes of the previous version issue tickets.
    requested_at = models.DateTimeField(db_column="wished_at", default=timezone.now, db_default=Now(), editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(null=True, default=first_sweep, editable=False)
    in_bulk = models.BooleanField(default=False, editable=False)  # published after single tickets

    objects: ClassVar[models.Manager[EventTicket]] = EventTicketQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.CheckConstraint(condition=Q(quantity__gte=1), name="ticket_admits_at_least_one")]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="ticket_files_due", condition=Q(state__in=["pending", "failed"])
            ),
            models.Index(
                fields=["id"], name="ticket_files_misplaced", condition=~Q(published_suffix=F("public_id_suffix"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} · {self.holder_name or self.holder_email or self.ticket_id}"

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Write the columns that were edited since the ticket was read, or those of `update_fields`.

        If a printed value changed, new files are requested in the same transaction (`receivers.py`). Raises
        ValidationError if the event changed, because the code and the public ids contain the event's id.
        """
        names = self.columns_to_save(update_fields, options.get("using"))
        if "event_id" in self.edited_columns(names):
            self._refuse_another_event()
        with transaction.atomic(using=options.get("using")):
            super().save(*args, update_fields=names, **options)

    def get_absolute_url(self) -> str:
        return reverse("ticket", args=[self.ticket_id])

    def clean(self) -> None:
        """Raise ValidationError for another event's ticket type, and if the event changed."""
        if self.ticket_type is not None and self.ticket_type.event_id != self.event_id:
            raise ValidationError({"ticket_type": "This ticket type belongs to another event."})
        self._refuse_another_event()

    def _refuse_another_event(self) -> None:
        if not self._state.adding and EventTicket.objects.filter(pk=self.pk).exclude(event=self.event_id).exists():
            raise ValidationError({"event": CHANGED_EVENT})

    @property
    def is_used(self) -> bool:
        return self.used_at is not None

    @property
    def local_files(self) -> dict[str, str]:
        """The names of the ticket's files in local storage, by the kind of file."""
        names = {kind.name: getattr(self, kind.name).name or "" for kind in gateway.KINDS}
        return {
            kind: local
            for kind, name in names.items()
            if (local := name if name and fields.as_published(name) is None else getattr(self, f"{kind}_local"))
        }

    def public_id_of(self, kind: gateway.FileKind) -> str:
        """Return the public id that the ticket's file should have; `{kind}_cloudinary_id` is the published one."""
        return kind.public_id(self.event_id, self.ticket_id, self.public_id_suffix)

    @property
    def is_at_old_place(self) -> bool:
        """Whether a previous version re-issued the ticket and kept its public ids, so that earlier links still work."""
        return bool(self.code_generation) and not self.public_id_suffix

    @property
    def files_elsewhere(self) -> dict[str, str]:
        """The public ids of published files that should have another public id, by the kind of file."""
        published = {kind: getattr(self, f"{kind.name}_cloudinary_id") for kind in gateway.KINDS}
        return {kind.name: at for kind, at in published.items() if at not in ("", self.public_id_of(kind))}

    @property
    def has_files(self) -> bool:
        """Whether both files are published with the current code and under their current public ids."""
        return (
            self.published_generation == self.code_generation
            and self.published_suffix == self.public_id_suffix
            and bool(self.qr_code_cloudinary_id)
            and bool(self.pdf_ticket_cloudinary_id)
        )


class IssuedList(models.Model):
    """The idempotency key of an issued list of holders, which keeps the same form from issuing it twice.

    Deleted after a week, because older forms have expired (see `issuing.py`).
    """

    key = models.CharField(max_length=32, unique=True)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="issued_lists")
    issued_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key
