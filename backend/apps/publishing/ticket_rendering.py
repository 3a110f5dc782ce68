"""What is printed on a ticket: from rows of the database to the plain values that `rendering` draws."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from apps.events.codes import code_of
from apps.events.models import Event, EventImage, EventTicket, TicketType
from ticketkit import (
    Compromise,
    EventDetails,
    EventTemplate,
    FontError,
    RenderedTicket,
    RenderingError,
    TicketDetails,
    check_ticket,
    format_price,
    is_language,
    is_printed_as_written,
)

from . import metrics
from .fingerprints import canonical_layout, event_values

TEMPLATES_KEPT = 32
# As much code as a signed one, with a long name above it.
PREVIEW = TicketDetails(
    ticket_id="00000000-0000-0000-0000-000000000000", code="AD1:" + 13 * "SPECIMEN 0" + "0", holder=4 * "Wilhelmina "
)
PREVIEW_MARK, PREVIEW_HOLDER = "SPECIMEN", "Wilhelmina Berg"
ACCENT = re.compile("#[0-9a-fA-F]{6}")


def render(ticket: EventTicket, template: EventTemplate | None = None) -> RenderedTicket:
    """Both files of a ticket. Raises RenderingError, which says what can't be printed and why.

    `template` is that of the ticket's event, for a caller who has it from `template_of` already.
    """
    began, outcome = time.perf_counter(), "failed"
    try:
        rendered = (template or template_of(ticket.event)).render(ticket_details(ticket))
        outcome = "ok"
    finally:
        metrics.render_seconds.labels(outcome).observe(time.perf_counter() - began)
    return rendered


def template_of(event: Event, pictures: Mapping[str, bytes] | None = None) -> EventTemplate:
    """What all tickets of the event have in common, ready to be drawn on. Raises RenderingError.

    `pictures` are drawn in place of those that are kept, for an event that is only being considered.
    """
    if pictures is None and event.pk:
        images = list(event.images.all())  # read once: their digests, which find the template, belong to their bytes
        tried = _template_of_saved(_SavedEvent(tuple(event_values(event, images)), event, images))
    else:
        tried = _template(event_details(event, pictures), canonical_layout(event))
    if isinstance(tried, RenderingError):
        raise RenderingError(str(tried))
    return tried


def preview_of(event: Event, pictures: Mapping[str, bytes] | None = None) -> RenderedTicket:
    """A ticket to look at, made as real ones are. Its code is no ticket's, so no door admits it.

    Raises RenderingError for an event that no ticket can be made of.
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
    """An event by the values that its tickets show, which are compared much faster than its pictures."""

    values: tuple[str, ...]
    event: Event = field(compare=False)
    images: Sequence[EventImage] = field(compare=False)


@lru_cache(maxsize=TEMPLATES_KEPT)
def _template_of_saved(saved: _SavedEvent) -> EventTemplate | RenderingError:
    return _template(event_details(saved.event, _contents(saved.images)), canonical_layout(saved.event))


@lru_cache(maxsize=TEMPLATES_KEPT)
def _template(details: EventDetails, layout: str) -> EventTemplate | RenderingError:
    """A template costs a hundred tickets, so it is kept for as long as every detail of the event is the same.

    Before any ticket is made with it, a preview is read back as a scanner would: what does not scan is not published.
    A refusal is kept as well: an event that can't be printed must not take the workers' time with each of its tickets.
    Not so what is wrong with this machine's fonts, which is raised: it may be mended at any moment.
    """
    try:
        template = EventTemplate(details, json.loads(layout) if layout else None)
        check_ticket(template.render(PREVIEW), PREVIEW.code)
    except FontError:
        raise
    except RenderingError as error:
        return RenderingError(str(error))
    return template


def event_details(event: Event, pictures: Mapping[str, bytes] | None = None) -> EventDetails:
    """What is printed of the event. A zone, language or colour that is none gives way to the usual one."""
    if pictures is None:
        pictures = kept_pictures(event)
    optional = {"accent": event.accent} if ACCENT.fullmatch(event.accent) else {}
    return EventDetails(
        title=event.title,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        doors_at=event.doors_at,
        time_zone=event.zone.key,
        language=event.language if is_language(event.language) else "en",
        venue=event.venue,
        address=event.address,
        organiser=event.organiser.name,
        terms=event.terms,
        cover=pictures.get(EventImage.Kind.COVER),
        logo=pictures.get(EventImage.Kind.LOGO),
        **optional,
    )


def kept_pictures(event: Event) -> dict[str, bytes]:
    """The event's pictures by their kind."""
    return _contents(event.images.all()) if event.pk else {}


def _contents(images: Iterable[EventImage]) -> dict[str, bytes]:
    return {image.kind: bytes(image.content) for image in images}


def ticket_details(ticket: EventTicket) -> TicketDetails:
    kind = ticket.ticket_type
    return TicketDetails(
        ticket_id=str(ticket.ticket_id),
        code=code_of(ticket),
        holder=ticket.holder_name or ticket.holder_email,
        ticket_type=kind.name if kind else "",
        price=_price(kind, ticket.event),
        quantity=ticket.quantity,
        order_reference=ticket.order_reference,
    )


def compromises(event: Event, details: Iterable[TicketDetails]) -> list[list[Compromise]]:
    """For each ticket of the event, what its PDF shows otherwise than it is written. Nothing if none can be made."""
    try:
        template = template_of(event)
    except RenderingError:  # which is told where the event is shown
        return [[] for _ in details]
    return [template.compromises(ticket) for ticket in details]


def shows_its_name(ticket: EventTicket) -> bool:
    """Whether the PDF has every character of the name, as far as the fonts are concerned. Cheap enough for lists."""
    return is_printed_as_written(ticket.holder_name or ticket.holder_email, ticket.event.language)


def _price(kind: TicketType | None, event: Event) -> str:
    return format_price(kind.price, kind.currency, event.language) if kind and kind.price else ""
