"""Previews of an event's tickets, rendered in the web process. The code of a preview is not valid."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

import ticketkit
from apps.events.models import Event
from apps.publishing import ticket_rendering

from .layout_field import EXAMPLE, format_layout

if TYPE_CHECKING:
    from .event_form import EventForm
    from .events import EventAdmin

DPI = 100


def preview_html(event: Event) -> SafeString | str:
    """Return the preview for the event's form, or the reason why there is none."""
    if not event.pk:
        return "Save the event first. Then a preview of its tickets is shown here."
    button = format_html(
        '<button type="button" class="backoffice-button backoffice-quiet" data-preview="{}">'
        "Preview without saving</button>",
        reverse("admin:events_event_preview", args=[event.pk]),
    )
    try:
        complaints = ticket_rendering.template_of(event).warnings
    except ticketkit.RenderingError as error:
        words = format_html(
            '<p class="backoffice-bad" role="alert">No ticket of this event can be created: {}.</p>', error
        )
        return format_html("{}<p>{}</p>", words, button)
    picture, pdf = (reverse("admin:events_event_preview_file", args=[event.pk, kind]) for kind in ("png", "pdf"))
    words = format_html_join("", '<p class="backoffice-bad" role="alert">Printed differently: {}.</p>', zip(complaints))
    return format_html(
        '{}<a href="{}" target="_blank">'
        '<img src="{}" alt="Preview of a ticket" class="backoffice-preview" loading="lazy"></a>'
        '<p class="backoffice-help">The saved event. The code of a preview is not valid. Click the picture to open the '
        "PDF.</p><p>{}</p>",
        words,
        pdf,
        picture,
        button,
    )


def preview_file(event: Event, extension: str) -> HttpResponse:
    """Return the preview as `png` or `pdf`, or 409 with the reason as text if it can't be rendered.

    Raises Http404 for any other extension.
    """
    if extension not in ("png", "pdf"):
        raise Http404
    try:
        pdf = ticket_rendering.preview_of(event).pdf
    except ticketkit.RenderingError as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
    if extension == "pdf":
        return HttpResponse(pdf, content_type="application/pdf")
    return HttpResponse(ticketkit.first_page_png(pdf, DPI), content_type="image/png")


def preview_page(event_admin: EventAdmin, request: HttpRequest, form: EventForm) -> HttpResponse:
    """Show a preview of the form's values, or their errors. Saves nothing."""
    picture = ""
    if form.is_valid():
        try:
            pdf = ticket_rendering.preview_of(form.instance, form.pictures()).pdf
            picture = base64.b64encode(ticketkit.first_page_png(pdf, DPI)).decode()
        except ticketkit.RenderingError as error:
            form.add_error(None, str(error))
    context = {
        **event_admin.admin_site.each_context(request),
        "title": "Preview, not saved",
        "opts": Event._meta,
        "form": form,
        "picture": picture,
    }
    return TemplateResponse(request, "backoffice/preview.html", context)


def layouts_page(event_admin: EventAdmin, request: HttpRequest) -> HttpResponse:
    """Show an example of a layout, the built-in layouts with all values, and the schema."""
    context = {
        **event_admin.admin_site.each_context(request),
        "title": "Layouts of tickets",
        "opts": Event._meta,
        "example": format_layout(EXAMPLE),
        "layouts": [(name, format_layout(layout)) for name, layout in ticketkit.built_in_layouts().items()],
        "schema": json.dumps(ticketkit.layout_schema(), indent=2),
    }
    return TemplateResponse(request, "backoffice/layouts.html", context)
