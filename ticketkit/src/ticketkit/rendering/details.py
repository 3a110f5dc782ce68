"""What a ticket says: plain values, all text in plain Unicode of any script."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EventDetails:
    """What all tickets of one event have in common.

    ``starts_at``, ``ends_at`` and ``doors_at`` are aware datetimes, shown in ``time_zone`` (an IANA name) and in
    ``language`` (BCP 47). ``starts_at`` may be None when every ticket brings its date as text.
    ``cover`` and ``logo`` are the bytes of a JPEG, PNG or WebP file as it was uploaded. ``accent`` is ``#rrggbb``.
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
    """What differs from ticket to ticket. ``code`` is the text inside the QR code."""

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
    """A finished ticket: a 300x300 1-bit PNG of its code, and the PDF."""

    qr_png: bytes
    pdf: bytes
