"""What is printed on a ticket: from rows of the database to the plain values that `rendering` draws."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from django.db.models import Prefetch, QuerySet

from apps.core.telemetry import metrics
from apps.events.codes import code_of
from apps.events.models import Event, EventImage, EventTicket, TicketType
from ticketkit import (
    RENDERER_VERSION,
    Compromise,
    EventDetails,
    EventTemplate,
    RenderedTicket,
    RenderingError,
    TicketDetails,
    check_ticket,
    format_price,
    is_language,
    is_printed_as_written,
)

TEMPLATES_KEPT = 32
# As much code as a signed one, with a long name above it.
SPECIMEN = TicketDetails(
    ticket_id="00000000-0000-0000-0000-000000000000", code="AD1:" + 13 * "SPECIMEN 0" + "0", holder=4 * "Wilhelmina "
)
SPECIMEN_MARK, SPECIMEN_HOLDER = "SPECIMEN", "Wilhelmina Berg"
ACCENT = re.compile("#[0-9a-fA-F]{6}")
# The fields of an event that are printed as they stand.
PRINTED_FIELDS = ("title", "time_zone", "language", "venue", "address", "terms", "accent")


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
    tried = _template(event_details(event, pictures), _canonical_layout(event))
    if isinstance(tried, RenderingError):
        raise RenderingError(str(tried))
    return tried


def specimen_of(event: Event, pictures: Mapping[str, bytes] | None = None) -> RenderedTicket:
    """A ticket to look at, made as real ones are. Its code is no ticket's, so no door admits it.

    Raises RenderingError for an event that no ticket can be made of.
    """
    kind = event.ticket_types.first() if event.pk else None
    details = replace(
        SPECIMEN,
        holder=f"{SPECIMEN_MARK} {SPECIMEN_HOLDER}",
        ticket_type=kind.name if kind else "",
        price=_price(kind, event),
        order_reference=SPECIMEN_MARK,
    )
    return template_of(event, pictures).render(details)


@lru_cache(maxsize=TEMPLATES_KEPT)
def _template(details: EventDetails, layout: str) -> EventTemplate | RenderingError:
    """A template costs a hundred tickets, so it is kept for as long as every detail of the event is the same.

    Before any ticket is made with it, a specimen is read back as a scanner would: what does not scan is not published.
    A refusal is kept as well: an event that can't be printed must not take the workers' time with each of its tickets.
    """
    try:
        template = EventTemplate(details, json.loads(layout) if layout else None)
        check_ticket(template.render(SPECIMEN), SPECIMEN.code)
    except RenderingError as error:
        return RenderingError(str(error))
    return template


def _canonical_layout(event: Event) -> str:
    """The event's own layout, written the same way by every database; empty for the built-in one."""
    return json.dumps(event.layout, sort_keys=True) if event.layout else ""


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
    return {image.kind: bytes(image.content) for image in event.images.all()} if event.pk else {}


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


# -- What tickets show, as digests ---------------------------------------------------------------------------------

HALF = 32  # hexadecimal digits; a published face has two halves: what is the event's, then what is the ticket's own


def published_face(ticket: EventTicket) -> str:
    """What is kept of a ticket's files to know later whether they are up to date."""
    return ticket_face(ticket.event, ticket.ticket_type) + _own_face(ticket)


def shows_its_values(ticket: EventTicket) -> bool:
    """Whether the files show the ticket's own values of today. Asks for nothing; True when nothing is known."""
    return not ticket.published_face or ticket.published_face[HALF:] == _own_face(ticket)


def _own_face(ticket: EventTicket) -> str:
    """The digest of the ticket's own values that are printed, and of its event, which the code names."""
    holder = ticket.holder_name or ticket.holder_email
    values = (ticket.event_id, ticket.ticket_type_id, holder, ticket.quantity, ticket.order_reference)
    return _digest([str(value) for value in values])[:HALF]


def with_what_is_printed(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events with everything that their faces depend on, without the pictures themselves."""
    pictures = Prefetch("images", EventImage.objects.defer("content"))
    return events.select_related("organiser").prefetch_related("ticket_types", pictures)


def face_of(event: Event) -> str:
    """The digest of everything that any ticket shows of the event."""
    return _digest(sorted(ticket_faces(event).values()))


def ticket_faces(event: Event) -> dict[int | None, str]:
    """What a ticket of each type shows of the event, as a digest, by the type's id; None for tickets without a type."""
    return {None: ticket_face(event, None)} | {kind.pk: ticket_face(event, kind) for kind in event.ticket_types.all()}


def ticket_face(event: Event, kind: TicketType | None) -> str:
    """The digest of what a ticket of this type shows of its event, as this version of the renderer draws it."""
    values = [
        str(RENDERER_VERSION),
        *(str(getattr(event, name)) for name in PRINTED_FIELDS),
        *(moment.isoformat() if moment else "" for moment in (event.starts_at, event.ends_at, event.doors_at)),
        *(["both distances from GMT"] if _has_two_offsets(event) else []),
        event.organiser.name,
        *sorted(f"{image.kind} {image.sha256}" for image in event.images.all()),
        *([f"layout {layout}"] if (layout := _canonical_layout(event)) else []),
    ]
    return _digest([*values, *((kind.name, str(kind.price), kind.currency) if kind else ())])[:HALF]


def _has_two_offsets(event: Event) -> bool:
    """Whether the clocks change between the event's times."""
    moments = [moment for moment in (event.starts_at, event.ends_at, event.doors_at) if moment]
    return len({event.local(moment).utcoffset() for moment in moments}) > 1


def _digest(values: list[str]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
