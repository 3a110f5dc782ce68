"""Fingerprints: digests of what tickets print, to find out later whether published files are stale."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from django.db.models import Prefetch, QuerySet

import ticketkit
from apps.events.models import Event, EventImage, EventTicket, TicketType

# The fields of an event that are printed unchanged.
PRINTED_FIELDS = ("title", "time_zone", "language", "venue", "address", "terms", "accent")
# Hexadecimal digits of each half of a published fingerprint: first the event's values, then the ticket's own.
HALF_LENGTH = 32


def canonical_layout(event: Event) -> str:
    """Return the event's layout as JSON, independent of the database's key order; empty for the built-in layout."""
    return json.dumps(event.layout, sort_keys=True) if event.layout else ""


def published_fingerprints(tickets: Iterable[EventTicket]) -> dict[int, str]:
    """Return the fingerprints of tickets that are published now, by primary key.

    The event's half is expensive, so it is computed once for tickets that share the same event object.
    """
    halves: dict[tuple[int, int | None], str] = {}
    fingerprints: dict[int, str] = {}
    for ticket in tickets:
        shared = (id(ticket.event), ticket.ticket_type_id)
        if shared not in halves:
            halves[shared] = type_fingerprint(ticket.event, ticket.ticket_type)
        fingerprints[ticket.pk] = halves[shared] + _own_fingerprint(ticket)
    return fingerprints


def shows_its_values(ticket: EventTicket) -> bool:
    """Return whether the files show the ticket's own current values; True if no fingerprint is stored. No queries."""
    return not ticket.published_fingerprint or ticket.published_fingerprint[HALF_LENGTH:] == _own_fingerprint(ticket)


def _own_fingerprint(ticket: EventTicket) -> str:
    """Return the digest of the ticket's own printed values, and of its event's id, which is part of the code."""
    holder = ticket.holder_name or ticket.holder_email
    values = (ticket.event_id, ticket.ticket_type_id, holder, ticket.quantity, ticket.order_reference)
    return _digest([str(value) for value in values])[:HALF_LENGTH]


def with_printed_relations(events: QuerySet[Event]) -> QuerySet[Event]:
    """Prefetch everything that fingerprints of the events depend on, without the bytes of pictures."""
    pictures = Prefetch("images", EventImage.objects.defer("content"))
    return events.select_related("organiser").prefetch_related("ticket_types", pictures)


def event_fingerprint(event: Event) -> str:
    """Return the digest of all values of the event that its tickets print, for all ticket types."""
    return _digest(sorted(event_fingerprints_by_type(event).values()))


def event_fingerprints_by_type(event: Event) -> dict[int | None, str]:
    """Return the event's half of the fingerprint by the ticket type's id, with None for tickets without a type."""
    return {None: type_fingerprint(event, None)} | {
        kind.pk: type_fingerprint(event, kind) for kind in event.ticket_types.all()
    }


def type_fingerprint(event: Event, kind: TicketType | None) -> str:
    """Return the event's half of the fingerprint of tickets of this type."""
    return _digest([*event_values(event), *((kind.name, str(kind.price), kind.currency) if kind else ())])[:HALF_LENGTH]


def event_values(event: Event, images: Iterable[EventImage] | None = None) -> list[str]:
    """Return the version of the renderer and all values of the event that tickets print, pictures as digests.

    Pass `images` if the event's pictures are already loaded.
    """
    return [
        str(ticketkit.RENDERER_VERSION),
        *(str(getattr(event, name)) for name in PRINTED_FIELDS),
        *(moment.isoformat() if moment else "" for moment in (event.starts_at, event.ends_at, event.doors_at)),
        *(["both distances from GMT"] if _has_two_offsets(event) else []),
        event.organiser.name,
        *sorted(f"{image.kind} {image.sha256}" for image in (event.images.all() if images is None else images)),
        *([f"layout {layout}"] if (layout := canonical_layout(event)) else []),
    ]


def _has_two_offsets(event: Event) -> bool:
    """Return whether daylight saving time begins or ends between the event's times."""
    moments = [moment for moment in (event.starts_at, event.ends_at, event.doors_at) if moment]
    return len({event.local(moment).utcoffset() for moment in moments}) > 1


def _digest(values: list[str]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
