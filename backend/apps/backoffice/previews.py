"""What an event's tickets look like, before any is issued or made anew: a specimen, drawn here, that admits nobody."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.events.models import Event
from apps.publishing import ticket_rendering
from ticketkit import RenderingError, built_in_layouts, first_page_png, layout_schema

from .layout_field import EXAMPLE, written

if TYPE_CHECKING:
    from .event_form import EventForm
    from .events import EventAdmin

DPI = 100


def shown(event: Event) -> SafeString | str:
    """The specimen of a saved event inside its form, or in words why there is none."""
    if not event.pk:
        return "Save the event first. Then a specimen of its tickets is shown here."
    button = format_html(
        '<button type="button" class="desk-button desk-quiet" data-preview="{}">Look at it without saving</button>',
        reverse("admin:events_event_preview", args=[event.pk]),
    )
    try:
        complaints = ticket_rendering.template_of(event).complaints
    except RenderingError as error:
        words = format_html('<p class="desk-bad" role="alert">No ticket of this event can be made: {}.</p>', error)
        return format_html("{}<p>{}</p>", words, button)
    picture, pdf = (reverse("admin:events_event_specimen", args=[event.pk, kind]) for kind in ("png", "pdf"))
    words = format_html_join("", '<p class="desk-bad" role="alert">Printed otherwise: {}.</p>', zip(complaints))
    return format_html(
        '{}<a href="{}" target="_blank">'
        '<img src="{}" alt="Specimen of a ticket" class="desk-specimen" loading="lazy"></a>'
        '<p class="desk-help">As saved. Its code opens no door. The picture leads to the PDF.</p><p>{}</p>',
        words,
        pdf,
        picture,
        button,
    )


def specimen_file(event: Event, extension: str) -> HttpResponse:
    """The specimen as `png` or `pdf`; 409 with the reason as text where none can be made."""
    if extension not in ("png", "pdf"):
        raise Http404
    try:
        pdf = ticket_rendering.specimen_of(event).pdf
    except RenderingError as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
    if extension == "pdf":
        return HttpResponse(pdf, content_type="application/pdf")
    return HttpResponse(first_page_png(pdf, DPI), content_type="image/png")


def preview_page(desk: EventAdmin, request: HttpRequest, form: EventForm) -> HttpResponse:
    """The specimen as the form's values would make it, or what is wrong with them. Nothing is saved."""
    picture = ""
    if form.is_valid():
        try:
            pdf = ticket_rendering.specimen_of(form.instance, form.pictures()).pdf
            picture = base64.b64encode(first_page_png(pdf, DPI)).decode()
        except RenderingError as error:
            form.add_error(None, str(error))
    context = {
        **desk.admin_site.each_context(request),
        "title": "Specimen, not saved",
        "opts": Event._meta,
        "form": form,
        "picture": picture,
    }
    return TemplateResponse(request, "backoffice/preview.html", context)


def layouts_page(desk: EventAdmin, request: HttpRequest) -> HttpResponse:
    """All that a layout can say: an example, the built-in ones with every value, the schema."""
    context = {
        **desk.admin_site.each_context(request),
        "title": "Layouts of tickets",
        "opts": Event._meta,
        "example": written(EXAMPLE),
        "layouts": [(name, written(layout)) for name, layout in built_in_layouts().items()],
        "schema": json.dumps(layout_schema(), indent=2),
    }
    return TemplateResponse(request, "backoffice/layouts.html", context)
