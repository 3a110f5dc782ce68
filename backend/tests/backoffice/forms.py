"""URLs of the back office, and form data as a browser would send it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse

from apps.events.models import Event


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def form_of(event: Event, **overrides: Any) -> dict[str, Any]:
    """Return form data for an event without ticket types."""
    management = {f"ticket_types-{key}": 0 for key in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS")}
    return {
        "title": event.title,
        "organiser": event.organiser_id,
        "starts_at_0": "2030-07-01",
        "starts_at_1": "19:30:00",
        "time_zone": "Asia/Kolkata",
        "language": "en",
        "venue": event.venue,
        "address": event.address,
        "page": "a4-fold",
        **management,
        **overrides,
    }


class _FormReader(HTMLParser):
    """Collects the form data of a page that a browser would send for the button "Save"."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, Any] = {}
        self.select = self.textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        name, value = about.get("name") or "", about.get("value") or ""
        if tag in ("select", "textarea"):
            setattr(self, tag, name)
            self.fields[name] = ""
        elif tag == "option" and self.select and "selected" in about:
            self.fields[self.select] = value
        elif tag == "input" and name and about.get("type") not in ("file", "submit", "checkbox", "radio"):
            self.fields[name] = value or ("#000000" if about.get("type") == "color" else "")

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.fields[self.textarea] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            setattr(self, tag, "")


def fields_of(page: str) -> dict[str, list[str]]:
    """Return the values of the hidden fields of the page's last form, by name."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.rpartition("<form")[2]):
        found.setdefault(name, []).append(value)
    return found


def what_a_browser_sends(back_office: Client, event: Event) -> dict[str, Any]:
    reader = _FormReader()
    reader.feed(back_office.get(url("events_event_change", event.pk)).content.decode())
    return reader.fields
