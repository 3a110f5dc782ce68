"""Tell organisers which texts are printed differently from how they were entered."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html

import ticketkit
from apps.events.models import Event
from apps.imports.attendee_lists import Line
from apps.publishing import ticket_rendering

PRINTED_DIFFERENTLY = format_html(
    '<span class="backoffice-flag" title="{}">printed differently</span>',
    "The fonts lack characters of this name. The ticket shows it as well as possible, and its code works.",
)


def in_words(found: ticketkit.AlteredText) -> str:
    """Return a sentence that says what the ticket shows instead of a text, and why."""
    why = "is too long for its place" if found.is_shortened else "has characters that can’t be printed"
    return f"“{found.written}” {why}. The ticket shows “{found.drawn}”."


def note_names(event: Event, lines: Sequence[Line]) -> int:
    """Set the notes of each line whose name is printed differently. Return the number of lines with notes."""
    details = [ticketkit.TicketDetails(ticket_id="-", code="", holder=line.name or line.email) for line in lines]
    for line, found in zip(lines, ticket_rendering.compromises(event, details), strict=True):
        line.notes = [in_words(one) for one in found]
    return sum(bool(line.notes) for line in lines)
