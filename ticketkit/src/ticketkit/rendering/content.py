"""Collect the texts of a ticket by layout element."""

import re

from ticketkit.rendering.dates import format_date_and_time, format_time_of_day
from ticketkit.rendering.details import EventDetails, TicketDetails
from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.labels import Labels
from ticketkit.rendering.text.itemise import is_ignorable
from ticketkit.rendering.text.repair import PLACEHOLDER, as_drawn

# Elements whose text differs between the tickets of an event.
TICKET_ELEMENTS = ("holder", "ticket_type", "price", "quantity", "order_reference", "ticket_id")

# Control characters except white space, and byte order marks: invisible, and not allowed in XML. The backend's forms
# reject them, but older database rows may contain them.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff]")
# Lone surrogates and noncharacters: drawn as a placeholder, because a letter was probably lost.
_NOT_A_CHARACTER = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(0x10000 * n + 0xFFFE) + chr(0x10000 * n + 0xFFFF) for n in range(17))
    + "]"
)


def event_texts(event: EventDetails, labels: Labels) -> dict[str, str]:
    """Return the event's non-empty texts by element.

    Raises RenderingError for an unknown time zone or a naive datetime.
    """
    texts = {"title": event.title, "venue": event.venue, "address": event.address, "terms": event.terms}
    if event.organiser:
        texts["organiser"] = labels["presents"].format(organiser=event.organiser)
    if event.starts_at is not None:
        date, time = format_date_and_time(event.starts_at, event.ends_at, event.time_zone, event.language)
        texts |= {"date": date, "time": time}
    if event.doors_at is not None:
        doors = format_time_of_day(event.doors_at, event.time_zone, event.language, event.starts_at)
        texts["doors"] = f"{labels['doors']}: {doors}"
    cleaned = {name: clean_text(text, name in ("address", "terms")) for name, text in texts.items()}
    cleaned["title"] = cleaned["title"] or labels["ticket"]  # "Ticket" in the event's language
    return {name: text for name, text in cleaned.items() if text}


def ticket_texts(ticket: TicketDetails, labels: Labels, dated: bool) -> dict[str, str]:
    """Return the ticket's non-empty texts by element, with its date if ``dated``.

    Raises RenderingError if the ticket has no id.
    """
    if not ticket.ticket_id:
        raise RenderingError("the ticket has no id: give it one")
    texts = {
        "holder": ticket.holder,
        "ticket_type": ticket.ticket_type,
        "price": ticket.price,
        "quantity": str(ticket.quantity),
        "order_reference": ticket.order_reference,
        "ticket_id": ticket.ticket_id,
    }
    if dated:
        texts["date"] = ticket.event_date
    cleaned = {name: clean_text(text) for name, text in texts.items()}
    return {name: text for name, text in cleaned.items() if text}


def printed_as(text: str, language: str) -> str:
    """Return a one-line text as tickets show it if it fits: cleaned, and with undrawable characters replaced."""
    return as_drawn(clean_text(text), language)


def is_printed_as_written(text: str, language: str) -> bool:
    """Return whether tickets show every visible character of a one-line text unchanged."""
    return (text.isascii() and text.isprintable()) or _visible(printed_as(text, language)) == _visible(text)


def _visible(text: str) -> str:
    return " ".join("".join(char for char in text if not is_ignorable(char)).split())


def clean_text(text: str, keep_lines: bool = False) -> str:
    """Return ``text`` without control characters, and with each run of white space as one space.

    Text of only invisible characters becomes empty. ``keep_lines`` keeps line breaks, but no empty lines.
    """
    if text.isprintable():  # then the only white space is the space, and there are no control characters
        words = " ".join(text.split())
        if text.isascii() or not is_ignorable(words[0]):
            return words
    text = _NOT_A_CHARACTER.sub(PLACEHOLDER, _CONTROL.sub("", text))
    if all(char.isspace() or is_ignorable(char) for char in text):
        return ""
    if keep_lines:
        return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)
    return " ".join(text.split())
