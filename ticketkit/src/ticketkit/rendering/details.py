"""The values that a ticket is rendered from, and the result."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EventDetails:
    """The values that all tickets of an event share.

    Times are aware datetimes, shown in ``time_zone`` (an IANA name) and ``language`` (a BCP 47 tag). ``starts_at`` may
    be None if every ticket has an ``event_date``. ``cover`` and ``logo`` are the bytes of a JPEG, PNG or WebP file.
    ``accent`` is ``#rrggbb``. Text may be in any script.
    """

    title: str
    starts_at: datetime | None
    time_zone: str = "UTC"
    language: str = "en"
    ends_at: datetime | None = None
    doors_at: datetime | None = None
    venue: str = ""
    address: str = ""
    organiser: str = ""
    terms: str = ""
    cover: bytes | None = None
    logo: bytes | None = None
    accent: str = "#4338ca"


@dataclass(frozen=True, slots=True)
class TicketDetails:
    """The values of one ticket.

    ``code`` is the text inside the QR code. ``event_date`` is printed if the event has no ``starts_at``.
    """

    ticket_id: str
    code: str
    holder: str = ""
    ticket_type: str = ""
    price: str = ""
    quantity: int = 1
    order_reference: str = ""
    event_date: str = ""


@dataclass(frozen=True, slots=True)
class RenderedTicket:
    """A rendered ticket: the QR code as a 1-bit PNG of 300 by 300 pixels, and the PDF."""

    qr_png: bytes
    pdf: bytes
