"""The form of an event: times on the clocks of its own time zone, pictures that are checked before they are kept.

What is printed is tried on a preview before it is saved: no worker has to find out that a ticket can't be made.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
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

from apps.events import event_images
from apps.events.models import Event, EventImage
from apps.publishing import fingerprints, ticket_rendering
from ticketkit import RenderingError

from .layout_field import CHOICES, OWN, PAGES, LayoutField, page_of
from .moment_field import MomentField, MomentWidget, is_ambiguous

TIMES = ("starts_at", "ends_at", "doors_at")
LAYOUT_HELP = (
    "Only with “Own layout”: what differs from the built-in page, in JSON, as in the grey example. "
    '<a href="{}" class="underline" target="_blank">Everything that can be said</a>. '
    "Look at the preview before you save: saving has all tickets of the event made anew."
)
PRINTED = {*fingerprints.PRINTED_FIELDS, *TIMES, *EventImage.Kind.values, "organiser", "page", "layout"}


def time_zones() -> Iterator[tuple[str, str]]:
    for name in sorted(zoneinfo.available_timezones()):
        if name == "UTC" or ("/" in name and not name.startswith("Etc/")):
            yield name, name.replace("_", " ")


class EventForm(forms.ModelForm):  # type: ignore[type-arg]
    time_zone = forms.ChoiceField(
        choices=time_zones,
        initial="Europe/Berlin",
        widget=UnfoldAdminSelect2Widget(),
        help_text="The times above are on the clocks of this zone.",
    )
    cover = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP, up to 10 MB. Two and a half times as wide as high fits the tickets.",
    )
    logo = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP, up to 10 MB. May be transparent.",
    )
    page = forms.ChoiceField(
        choices=CHOICES,
        initial=CHOICES[0][0],
        widget=UnfoldAdminSelectWidget(),
        help_text="What tickets are printed on. “Own layout” takes what stands below.",
    )
    layout = LayoutField(label="Own layout", required=False)

    class Meta:
        model = Event
        fields = "__all__"  # noqa: DJ007 # the admin class names them
        field_classes = dict.fromkeys(TIMES, MomentField)
        # Not an input of the type "color": that one can't be empty, and sends black when nobody has touched it.
        widgets = {  # noqa: RUF012
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
        help_texts = {  # noqa: RUF012
            "accent": "# and six hexadecimal digits, such as #0f766e. Leave it empty for the usual colour."
        }

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
                        self.fields[name].widget.asks_which = is_ambiguous(local)

    @cached_property
    def changed_data(self) -> list[str]:
        """With the zone, times that nobody touched change too: the same clocks show another moment there."""
        changed: list[str] = super().changed_data
        if "time_zone" not in changed:
            return changed
        return changed + [name for name in TIMES if self.initial.get(name) and name not in changed]

    def full_clean(self) -> None:
        """Reads the times in the zone that is chosen in the same form."""
        with timezone.override(self._zone()):
            super().full_clean()

    def clean_cover(self) -> bytes | None:
        return self._checked(EventImage.Kind.COVER)

    def clean_logo(self) -> bytes | None:
        return self._checked(EventImage.Kind.LOGO)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "page" in cleaned and "layout" in cleaned:
            self._choose_layout(cleaned)
        return cleaned

    def pictures(self) -> dict[str, bytes]:
        """The event's pictures as this form would leave them, by their kind."""
        return ticket_rendering.kept_pictures(self.instance) | self._uploaded

    def _choose_layout(self, cleaned: dict[str, Any]) -> None:
        """What the page and the text below it come to. A text that nobody touched goes with another page."""
        if cleaned["page"] == OWN:
            if not cleaned["layout"]:
                self.add_error("layout", "Write a layout here, or choose one of the pages above.")
            return
        if cleaned["layout"] and "layout" in self.changed_data:
            self.add_error("layout", "Choose “Own layout” above to have this used, or empty this field.")
            return
        cleaned["layout"] = PAGES[cleaned["page"]][1]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors and not PRINTED.isdisjoint(self.changed_data):
            self._try_preview()
        if self.errors:  # browsers send a file once, and show an empty field afterwards
            for name in self._uploaded.keys() - self.errors.keys():
                self.add_error(name, "Choose this picture again: the form was not saved.")

    def _try_preview(self) -> None:
        """Refuses what no ticket can be made of, and a layout of one's own that is too small for the event's texts.

        On the built-in pages texts of any length are printed as far as there is room; then `complaints` say so.
        """
        has_own = self.cleaned_data["page"] == OWN
        try:
            self.complaints = ticket_rendering.template_of(self.instance, self.pictures()).complaints
        except RenderingError as error:
            self.add_error("layout" if has_own else None, f"No ticket can be made like this: {error}.")
        if has_own and self.complaints:
            self.add_error("layout", [f"Tickets would not show everything: {words}." for words in self.complaints])

    def _checked(self, kind: EventImage.Kind) -> bytes | None:
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
            return zoneinfo.ZoneInfo("UTC")  # the field's own check says what is wrong
