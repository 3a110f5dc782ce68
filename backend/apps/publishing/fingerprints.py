"""What tickets show, as digests: they tell later whether files that were published are up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from django.db.models import Prefetch, QuerySet

from apps.events.models import Event, EventImage, EventTicket, TicketType
from ticketkit import RENDERER_VERSION

# The fields of an event that are printed as they stand.
PRINTED_FIELDS = ("title", "time_zone", "language", "venue", "address", "terms", "accent")
HALF = (
    32  # hexadecimal digits; a published fingerprint has two halves: what is the event's, then what is the ticket's own
)


def canonical_layout(event: Event) -> str:
    """The event's own layout, written the same way by every database; empty for the built-in one."""
    return json.dumps(event.layout, sort_keys=True) if event.layout else ""


def published_fingerprints(tickets: Iterable[EventTicket]) -> dict[int, str]:
    """Return what is kept of the tickets' files to know later whether they are up to date, by the tickets' keys.

    The event's half costs as much as all the rest, so it is made once for tickets that share the event's object.
    """
    halves: dict[tuple[int, int | None], str] = {}
    kept: dict[int, str] = {}
    for ticket in tickets:
        shared = (id(ticket.event), ticket.ticket_type_id)
        if shared not in halves:
            halves[shared] = type_fingerprint(ticket.event, ticket.ticket_type)
        kept[ticket.pk] = halves[shared] + _own_fingerprint(ticket)
    return kept


def shows_its_values(ticket: EventTicket) -> bool:
    """Whether the files show the ticket's own values of today. Asks for nothing; True when nothing is known."""
    return not ticket.published_fingerprint or ticket.published_fingerprint[HALF:] == _own_fingerprint(ticket)


def _own_fingerprint(ticket: EventTicket) -> str:
    """The digest of the ticket's own values that are printed, and of its event, which the code names."""
    holder = ticket.holder_name or ticket.holder_email
    values = (ticket.event_id, ticket.ticket_type_id, holder, ticket.quantity, ticket.order_reference)
    return _digest([str(value) for value in values])[:HALF]


def with_what_is_printed(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events with everything that their fingerprints depend on, without the pictures themselves."""
    pictures = Prefetch("images", EventImage.objects.defer("content"))
    return events.select_related("organiser").prefetch_related("ticket_types", pictures)


def event_fingerprint(event: Event) -> str:
    """The digest of everything that any ticket shows of the event."""
    return _digest(sorted(event_fingerprints_by_type(event).values()))


def event_fingerprints_by_type(event: Event) -> dict[int | None, str]:
    """What a ticket of each type shows of the event, as a digest, by the type's id; None for tickets without a type."""
    return {None: type_fingerprint(event, None)} | {
        kind.pk: type_fingerprint(event, kind) for kind in event.ticket_types.all()
    }


def type_fingerprint(event: Event, kind: TicketType | None) -> str:
    """The digest of what a ticket of this type shows of its event, as this version of the renderer draws it."""
    return _digest([*event_values(event), *((kind.name, str(kind.price), kind.currency) if kind else ())])[:HALF]


def event_values(event: Event, images: Iterable[EventImage] | None = None) -> list[str]:
    """Return everything that its tickets show of the event, pictures by their digest, and the renderer's version.

    `images` are those of the event, for a caller who has them.
    """
    return [
        str(RENDERER_VERSION),
        *(str(getattr(event, name)) for name in PRINTED_FIELDS),
        *(moment.isoformat() if moment else "" for moment in (event.starts_at, event.ends_at, event.doors_at)),
        *(["both distances from GMT"] if _has_two_offsets(event) else []),
        event.organiser.name,
        *sorted(f"{image.kind} {image.sha256}" for image in (event.images.all() if images is None else images)),
        *([f"layout {layout}"] if (layout := canonical_layout(event)) else []),
    ]


def _has_two_offsets(event: Event) -> bool:
    """Whether the clocks change between the event's times."""
    moments = [moment for moment in (event.starts_at, event.ends_at, event.doors_at) if moment]
    return len({event.local(moment).utcoffset() for moment in moments}) > 1


def _digest(values: list[str]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
