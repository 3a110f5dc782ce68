"""Render tickets: map database rows to the plain values that `ticketkit` draws."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import ticketkit
from apps.events.codes import code_of
from apps.events.models import Event, EventImage, EventTicket, TicketType

from . import metrics
from .fingerprints import canonical_layout, event_values

MAX_CACHED_TEMPLATES = 32
# The code has the length and the form of a signed one, and the name is long.
PREVIEW = ticketkit.TicketDetails(
    ticket_id="00000000-0000-0000-0000-000000000000", code="AD1:" + 13 * "PREVIEW 00" + "0", holder=4 * "Wilhelmina "
)
PREVIEW_MARK, PREVIEW_HOLDER = "PREVIEW", "Wilhelmina Berg"
ACCENT = re.compile("#[0-9a-fA-F]{6}")


def render(ticket: EventTicket, template: ticketkit.EventTemplate | None = None) -> ticketkit.RenderedTicket:
    """Render both files of a ticket. Raises RenderingError, which says what cannot be printed and why.

    Pass `template` if the caller already has the event's template from `template_of`.
    """
    began, outcome = time.perf_counter(), "failed"
    try:
        rendered = (template or template_of(ticket.event)).render(ticket_details(ticket))
        outcome = "ok"
    finally:
        metrics.render_seconds.labels(outcome).observe(time.perf_counter() - began)
    return rendered


def template_of(event: Event, pictures: Mapping[str, bytes] | None = None) -> ticketkit.EventTemplate:
    """Return the template of the event's tickets. Raises RenderingError if no ticket of the event can be rendered.

    `pictures` replace the stored ones, for the preview of an event that is not saved.
    """
    if pictures is None and event.pk:
        images = list(event.images.all())  # read once: the digests in the cache key must match the bytes
        tried = _template_of_saved(_SavedEvent(tuple(event_values(event, images)), event, images))
    else:
        tried = _template(event_details(event, pictures), canonical_layout(event))
    if isinstance(tried, ticketkit.RenderingError):
        raise ticketkit.RenderingError(str(tried))
    return tried


def preview_of(event: Event, pictures: Mapping[str, bytes] | None = None) -> ticketkit.RenderedTicket:
    """Render a preview of the event's tickets. Its code belongs to no ticket, so it is never admitted.

    Raises RenderingError if no ticket of the event can be rendered.
    """
    kind = event.ticket_types.first() if event.pk else None
    details = replace(
        PREVIEW,
        holder=f"{PREVIEW_MARK} {PREVIEW_HOLDER}",
        ticket_type=kind.name if kind else "",
        price=_price(kind, event),
        order_reference=PREVIEW_MARK,
    )
    return template_of(event, pictures).render(details)


@dataclass(frozen=True, slots=True)
class _SavedEvent:
    """A cache key: an event by its printed values, which compare much faster than the bytes of its pictures."""

    values: tuple[str, ...]
    event: Event = field(compare=False)
    images: Sequence[EventImage] = field(compare=False)


@lru_cache(maxsize=MAX_CACHED_TEMPLATES)
def _template_of_saved(saved: _SavedEvent) -> ticketkit.EventTemplate | ticketkit.RenderingError:
    return _template(event_details(saved.event, _contents(saved.images)), canonical_layout(saved.event))


@lru_cache(maxsize=MAX_CACHED_TEMPLATES)
def _template(details: ticketkit.EventDetails, layout: str) -> ticketkit.EventTemplate | ticketkit.RenderingError:
    """Return a template, cached because making one takes as long as rendering a hundred tickets.

    A preview is rendered and scanned first, so that no unreadable code is published. A RenderingError is returned, so
    that it is cached too: else each ticket of an event that cannot be rendered would cost as much. A FontError is
    raised and not cached, because the machine's fonts may be fixed at any moment.
    """
    try:
        template = ticketkit.EventTemplate(details, json.loads(layout) if layout else None)
        ticketkit.check_ticket(template.render(PREVIEW), PREVIEW.code)
    except ticketkit.FontError:
        raise
    except ticketkit.RenderingError as error:
        return ticketkit.RenderingError(str(error))
    return template


def event_details(event: Event, pictures: Mapping[str, bytes] | None = None) -> ticketkit.EventDetails:
    """Return the printed values of the event, with defaults for an invalid time zone, language or colour."""
    if pictures is None:
        pictures = stored_pictures(event)
    optional = {"accent": event.accent} if ACCENT.fullmatch(event.accent) else {}
    return ticketkit.EventDetails(
        title=event.title,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        doors_at=event.doors_at,
        time_zone=event.zone.key,
        language=event.language if ticketkit.is_language(event.language) else "en",
        venue=event.venue,
        address=event.address,
        organiser=event.organiser.name,
        terms=event.terms,
        cover=pictures.get(EventImage.Kind.COVER),
        logo=pictures.get(EventImage.Kind.LOGO),
        **optional,
    )


def stored_pictures(event: Event) -> dict[str, bytes]:
    """Return the event's pictures by kind."""
    return _contents(event.images.all()) if event.pk else {}


def _contents(images: Iterable[EventImage]) -> dict[str, bytes]:
    return {image.kind: bytes(image.content) for image in images}


def ticket_details(ticket: EventTicket) -> ticketkit.TicketDetails:
    """Return the printed values of the ticket."""
    kind = ticket.ticket_type
    return ticketkit.TicketDetails(
        ticket_id=str(ticket.ticket_id),
        code=code_of(ticket),
        holder=ticket.holder_name or ticket.holder_email,
        ticket_type=kind.name if kind else "",
        price=_price(kind, ticket.event),
        quantity=ticket.quantity,
        order_reference=ticket.order_reference,
    )


def compromises(event: Event, details: Iterable[ticketkit.TicketDetails]) -> list[list[ticketkit.AlteredText]]:
    """Return, for each ticket of the event, what its PDF prints differently from the given values.

    The lists are empty if no ticket of the event can be rendered.
    """
    try:
        template = template_of(event)
    except ticketkit.RenderingError:  # the page of the event reports it
        return [[] for _ in details]
    return [template.altered_texts(ticket) for ticket in details]


def shows_its_name(ticket: EventTicket) -> bool:
    """Return whether the fonts have every character of the printed name. Fast enough for lists of tickets."""
    return ticketkit.is_printed_as_written(ticket.holder_name or ticket.holder_email, ticket.event.language)


def _price(kind: TicketType | None, event: Event) -> str:
    return ticketkit.format_price(kind.price, kind.currency, event.language) if kind and kind.price else ""
