"""Events and their tickets. The database is the truth; storage follows it.

`save()` writes the changed ones among the columns that people edit. `ticket_columns.py` alone writes the rest of a
ticket's, but for those of its job, which `apps/core/jobs/` writes.
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

from apps.core.addresses import AddressField
from apps.core.db.partial_saves import PartiallySaved, PartiallySavedQuerySet
from apps.core.jobs.models import Job, JobQuerySet
from apps.core.jobs.timing import first_sweep
from apps.core.validators import CheckedText, validate_time_zone
from apps.storage import fields, gateway
from ticketkit import RenderingError, clean_text, load_layout, local_time

from .ticket_codes import TicketCode as TicketCode

if TYPE_CHECKING:
    from apps.accounts.models import User


class Event(CheckedText, PartiallySaved):
    """Something that people get tickets for. Its dates are stored in UTC and shown in its own time zone."""

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
        help_text="What its tickets change of the built-in layout; empty for A4 as it is.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    # Its tickets follow its changes (`publishing/invalidation.py`): `fingerprint` is the digest of what they last had to show.
    # The column keeps its first name, as `published_face` and `wished_at` below do: processes of the previous version
    # use it while a new one is deployed.
    fingerprint = models.CharField(db_column="face", max_length=64, blank=True, default="", editable=False)
    # Written by processes of the previous version, while a new one is deployed.
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
        """Raises ValidationError for an invisible title, and with the path of what is wrong in the layout."""
        if self.title and not clean_text(self.title):
            raise ValidationError({"title": "There is nothing to be seen in this title. Type it anew."})
        try:
            load_layout(self.layout)
        except RenderingError as error:
            raise ValidationError({"layout": str(error)}) from error

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The event's own time zone; UTC for a name that this machine's time zones do not have (any more)."""
        try:
            return zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return zoneinfo.ZoneInfo("UTC")

    def local(self, moment: datetime) -> datetime:
        """The moment on the clocks of the event's own time zone."""
        return local_time(moment, self.zone)


class EventImage(models.Model):
    """A picture of an event, small and already checked (see `event_images.py`), kept in the database.

    Workers on any machine must be able to draw it, and saving it must not touch the network.
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
    """A kind of ticket that an event has, such as “Standing” or “Balcony”."""

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
    # Of a query whose `delete()` is part of `issuing.delete_many`, which tells of all its tickets at once.
    is_bulk_deletion = False

    def pending(self) -> EventTicketQuerySet:
        """Return the tickets whose files have to be made, by the partial index of those."""
        return super().pending().filter(state__in=(EventTicket.State.PENDING, EventTicket.State.FAILED))

    def given_up(self) -> EventTicketQuerySet:
        """Return the tickets that failed for good: their files are not tried again unless a person asks for it."""
        return self.filter(state=EventTicket.State.FAILED, next_attempt_at=None)

    def held_by(self, user: User) -> EventTicketQuerySet:
        """The user's own tickets: those issued to the account, and those to an address the user has confirmed."""
        confirmed = user.emailaddress_set.filter(verified=True).values("email")  # type: ignore[attr-defined]
        return self.filter(Q(holder=user) | Q(holder=None, holder_email__in=confirmed))


class EventTicket(CheckedText, PartiallySaved, Job):
    """One ticket: who may enter what, the generation of its code, and the state of its two files.

    Saving a changed value that is printed has the files made anew after commit. `update()` and `bulk_update()` tell
    nobody: call `publishing.requests.rerender_many` on the same rows behind them. `ticket_doctor` finds what was
    forgotten.
    """

    # The columns of its own that a ticket shows.
    PRINTED = ("holder_name", "holder_email", "quantity", "ticket_type_id", "order_reference")
    EDITED = (*PRINTED, "event_id", "holder_id", "qr_code", "pdf_ticket")
    FIXED = ("ticket_id", "issued_at")

    class State(models.TextChoices):
        PENDING = "pending", "Files are on their way"
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

    # The code. `code_generation` rises when a ticket is re-issued, and every earlier copy is dead (also `TicketCode`s).
    code_generation = models.PositiveSmallIntegerField(default=0, editable=False)

    # The files: empty until published, or until moved from local storage; empty again when re-issued.
    qr_code = fields.TicketImageField(upload_to="qr_codes/", blank=True, editable=False)
    qr_code_cloudinary_id = models.CharField(max_length=255, blank=True, default="", editable=False)
    qr_code_version = models.PositiveBigIntegerField(null=True, editable=False)
    qr_code_etag = models.CharField(max_length=64, blank=True, default="", editable=False)
    pdf_ticket = fields.TicketFileField(upload_to="pdf_tickets/", blank=True, editable=False)
    pdf_ticket_cloudinary_id = models.CharField(max_length=255, blank=True, default="", editable=False)
    pdf_ticket_version = models.PositiveBigIntegerField(null=True, editable=False)
    pdf_ticket_etag = models.CharField(max_length=64, blank=True, default="", editable=False)
    # Where the files lay before they were moved; empty again once those are deleted.
    qr_code_local = models.CharField(max_length=255, blank=True, default="", editable=False)
    pdf_ticket_local = models.CharField(max_length=255, blank=True, default="", editable=False)
    published_generation = models.PositiveSmallIntegerField(null=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    published_fingerprint = models.CharField(
        db_column="published_face", max_length=64, blank=True, default="", editable=False
    )
    # The random end of both public ids, another one with every re-issue: where the files belong, and where they lie.
    public_id_suffix = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    published_suffix = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    # The job of making the files.
    state = models.CharField(max_length=8, choices=State, default=State.PENDING, editable=False)
    # When files were last requested. The database knows the default too, as for `Event.layout`: while a new version is
    # deployed, processes of the old one issue tickets.
    requested_at = models.DateTimeField(db_column="wished_at", default=timezone.now, db_default=Now(), editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(null=True, default=first_sweep, editable=False)
    in_bulk = models.BooleanField(default=False, editable=False)  # no one person waits for it

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
        """Write what was edited since the ticket was read. `update_fields` names other columns.

        A value that is printed and the request for new files are one transaction (`receivers.py`). Raises
        ValidationError for another event: the code and the places of the files carry the event.
        """
        names = self.columns_to_save(update_fields, options.get("using"))
        if "event_id" in self.edited_columns(names):
            self._refuse_another_event()
        with transaction.atomic(using=options.get("using")):
            super().save(*args, update_fields=names, **options)

    def get_absolute_url(self) -> str:
        return reverse("ticket", args=[self.ticket_id])

    def clean(self) -> None:
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
        """Names of the ticket's files on the local storage of old, by the kind of file."""
        names = {kind.name: getattr(self, kind.name).name or "" for kind in gateway.KINDS}
        return {
            kind: local
            for kind, name in names.items()
            if (local := name if name and fields.as_published(name) is None else getattr(self, f"{kind}_local"))
        }

    def public_id_of(self, kind: gateway.FileKind) -> str:
        """Return where the ticket's file belongs; `{kind}_cloudinary_id` is where it was published."""
        return kind.public_id(self.event_id, self.ticket_id, self.public_id_suffix)

    @property
    def is_at_old_place(self) -> bool:
        """Whether the ticket was re-issued by a version that left its files where links from before lead to."""
        return bool(self.code_generation) and not self.public_id_suffix

    @property
    def files_elsewhere(self) -> dict[str, str]:
        """The public ids under which files were published that belong at another place today, by the kind of file."""
        published = {kind: getattr(self, f"{kind.name}_cloudinary_id") for kind in gateway.KINDS}
        return {kind.name: at for kind, at in published.items() if at not in ("", self.public_id_of(kind))}

    @property
    def has_files(self) -> bool:
        """Whether both files on storage carry the code that is valid today, where no link from before leads to."""
        return (
            self.published_generation == self.code_generation
            and self.published_suffix == self.public_id_suffix
            and bool(self.qr_code_cloudinary_id)
            and bool(self.pdf_ticket_cloudinary_id)
        )


class IssuedList(models.Model):
    """A list of holders that was issued: the key of the form that did it, so that the same form can't do it again.

    Kept for a week; a form that is older is refused for its age (see `issuing.py`).
    """

    key = models.CharField(max_length=32, unique=True)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="issued_lists")
    issued_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key
