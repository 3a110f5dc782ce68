"""The form for events. Times are in the event's time zone, and uploaded pictures are validated.

The form renders a preview before it saves a change of anything printed, so that errors appear in the form and not
later in a worker.
"""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

import ticketkit
from apps.events import event_images
from apps.events.models import Event, EventImage
from apps.publishing import fingerprints, ticket_rendering

from .layout_field import CHOICES, OWN, PAGES, LayoutField, page_of
from .moment_field import MomentField, MomentWidget, is_ambiguous

TIMES = ("starts_at", "ends_at", "doors_at")
LAYOUT_HELP = (
    "Only for “Own layout”: the differences from a built-in page, in JSON. The grey text is an example. "
    '<a href="{}" class="underline" target="_blank">All options</a>. '
    "Look at the preview before you save: saving re-renders all tickets of the event."
)
PRINTED = {*fingerprints.PRINTED_FIELDS, *TIMES, *EventImage.Kind.values, "organiser", "page", "layout"}


@cache  # listing them opens every file of the time zone database
def time_zones() -> list[tuple[str, str]]:
    names = [name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")]
    return [(name, name.replace("_", " ")) for name in sorted([*names, "UTC"])]


class TimeZoneWidget(UnfoldAdminSelect2Widget):  # type: ignore[misc] # unfold has no types
    """A searchable list. Its template includes no other for each of 500 options, which takes long."""

    template_name = "backoffice/time_zones.html"


class EventForm(forms.ModelForm):  # type: ignore[type-arg]
    time_zone = forms.ChoiceField(
        choices=time_zones,
        initial="Europe/Berlin",
        widget=TimeZoneWidget(),
        help_text="The times above are in this time zone.",
    )
    cover = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP, up to 10 MB. A width of 2.5 times the height fits the ticket best.",
    )
    logo = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP, up to 10 MB. It may be transparent.",
    )
    page = forms.ChoiceField(
        choices=CHOICES,
        initial=CHOICES[0][0],
        widget=UnfoldAdminSelectWidget(),
        help_text="The page that tickets are printed on. “Own layout” uses the field below.",
    )
    layout = LayoutField(label="Own layout", required=False)

    class Meta:
        model = Event
        fields = "__all__"  # noqa: DJ007 # the admin class names them
        field_classes = dict.fromkeys(TIMES, MomentField)
        # Not <input type="color">: it can't be empty, and sends black if it is left unchanged.
        widgets = {
            **dict.fromkeys(TIMES, MomentWidget),
            "accent": UnfoldAdminTextInputWidget(
                attrs={
                    "pattern": "#[0-9a-fA-F]{6}",
                    "placeholder": "#0f766e",
                    "title": "# and six hexadecimal digits",
                    "spellcheck": "false",
                }
            ),
        }
        help_texts = {"accent": "# and six hexadecimal digits, such as #0f766e. Leave it empty for the default colour."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._uploaded: dict[str, bytes] = {}
        self.complaints: list[str] = []
        if "layout" in self.fields:
            self.fields["layout"].help_text = format_html(LAYOUT_HELP, reverse("admin:events_event_layouts"))
        if self.instance.pk:
            self.initial["page"] = page_of(self.instance.layout)
            if self.initial["page"] != OWN:
                self.initial["layout"] = None
            for name in TIMES:
                if moment := getattr(self.instance, name):
                    local = self.instance.local(moment)
                    self.initial[name] = local.replace(tzinfo=None)
                    if name in self.fields:
                        self.fields[name].widget.asks_fold = is_ambiguous(local)

    @cached_property
    def changed_data(self) -> list[str]:
        """Return the changed fields. If the time zone changes, all times do: they are entered without an offset."""
        changed: list[str] = super().changed_data
        if "time_zone" not in changed:
            return changed
        return changed + [name for name in TIMES if self.initial.get(name) and name not in changed]

    def full_clean(self) -> None:
        """Validate the form in the time zone that is chosen in it."""
        with timezone.override(self._zone()):
            super().full_clean()

    def clean_cover(self) -> bytes | None:
        return self._read_upload(EventImage.Kind.COVER)

    def clean_logo(self) -> bytes | None:
        return self._read_upload(EventImage.Kind.LOGO)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "page" in cleaned and "layout" in cleaned:
            self._choose_layout(cleaned)
        return cleaned

    def pictures(self) -> dict[str, bytes]:
        """Return the event's pictures by kind, as they would be after saving this form."""
        return ticket_rendering.stored_pictures(self.instance) | self._uploaded

    def _choose_layout(self, cleaned: dict[str, Any]) -> None:
        """Set `layout` from the chosen page and the own layout. An unchanged own layout is dropped for another page."""
        if cleaned["page"] == OWN:
            if not cleaned["layout"]:
                self.add_error("layout", "Write a layout here, or choose one of the pages above.")
            return
        if cleaned["layout"] and "layout" in self.changed_data:
            self.add_error("layout", "Choose “Own layout” above to use this layout, or clear this field.")
            return
        cleaned["layout"] = PAGES[cleaned["page"]][1]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors and not PRINTED.isdisjoint(self.changed_data):
            self._try_preview()
        if self.errors:  # browsers don't keep the chosen file when the form is shown again
            for name in self._uploaded.keys() - self.errors.keys():
                self.add_error(name, "Choose this picture again: the form was not saved.")

    def _try_preview(self) -> None:
        """Add errors if no ticket can be rendered, or if an own layout is too small for the event's texts.

        Built-in pages shorten texts that are too long, and `complaints` lists them.
        """
        has_own = self.cleaned_data["page"] == OWN
        try:
            self.complaints = ticket_rendering.template_of(self.instance, self.pictures()).warnings
        except ticketkit.RenderingError as error:
            self.add_error("layout" if has_own else None, f"No ticket can be created like this: {error}.")
        if has_own and self.complaints:
            self.add_error("layout", [f"Tickets would not show everything: {words}." for words in self.complaints])

    def _read_upload(self, kind: EventImage.Kind) -> bytes | None:
        upload: UploadedFile[Any] | None = self.cleaned_data.get(kind)
        if upload is None:
            return None
        content: bytes = upload.read(event_images.MAX_BYTES + 1)
        self._uploaded[kind], _ = event_images.prepare(kind, content)
        return content

    def _zone(self) -> zoneinfo.ZoneInfo:
        chosen = self.data.get(self.add_prefix("time_zone")) or self.instance.time_zone
        try:
            return zoneinfo.ZoneInfo(chosen)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return zoneinfo.ZoneInfo("UTC")  # the validation of the field reports the error
