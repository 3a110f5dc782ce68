"""What the API takes and gives, with the descriptions and examples that its documentation shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict, StrictBool, StrictInt
from pydantic.config import JsonDict

from apps.checkin.admission import Verdict
from apps.events.models import EventTicket

from .paging import PageQuery

EVENT_EXAMPLE: JsonDict = {
    "id": 1,
    "title": "Concert Night",
    "starts_at": "2027-06-18T20:00:00+02:00",
    "ends_at": "2027-06-18T23:30:00+02:00",
    "doors_at": "2027-06-18T19:00:00+02:00",
    "time_zone": "Europe/Berlin",
    "venue": "Old Mill",
    "address": "Mill Street 1, Berlin",
    "cover_url": "https://tickets.example.org/api/events/1/cover/9f86d081884c7d65.../",
}
CODE_EXAMPLE = "AD1:" + "JE07X0SZ2LS-O ..."
TICKET_EXAMPLE: JsonDict = {
    "ticket_id": "0b7f5a52-5a3c-4d0e-9f53-3f1f6b1f4c11",
    "event": EVENT_EXAMPLE,
    "holder": {"name": "John Doe", "email": "john@example.org"},
    "quantity": 2,
    "ticket_type": "Standing",
    "order_reference": "R-2027-0815",
    "state": "ready",
    "reason": None,
    "code": CODE_EXAMPLE,
    "qr_code_url": "https://res.cloudinary.com/example/image/authenticated/s--...--/v1812345678/tickets/qr_codes/1/"
    "ticket_0b7f5a52-5a3c-4d0e-9f53-3f1f6b1f4c11.png",
    "pdf_ticket_url": "https://res.cloudinary.com/example/image/authenticated/s--...--/v1812345679/tickets/pdf/1/"
    "ticket_0b7f5a52-5a3c-4d0e-9f53-3f1f6b1f4c11.pdf",
    "apple_wallet_url": "https://tickets.example.org/api/events/ticket/0b7f5a52-5a3c-4d0e-9f53-3f1f6b1f4c11/"
    "apple-wallet/",
    "google_wallet_url": "https://tickets.example.org/api/events/ticket/0b7f5a52-5a3c-4d0e-9f53-3f1f6b1f4c11/"
    "google-wallet/",
    "issued_at": "2027-05-01T09:30:00Z",
    "used_at": None,
}


class EventOut(Schema):
    id: int
    title: str
    starts_at: datetime = Field(description="With the offset of the event's own time zone at that moment.")
    ends_at: datetime | None
    doors_at: datetime | None = Field(description="When the doors open.")
    time_zone: str = Field(description="IANA name of the event's time zone.")
    venue: str
    address: str
    cover_url: str | None = Field(
        description="The event's picture. Needs no sign-in, and never changes: another picture has another address."
    )


class HolderOut(Schema):
    name: str
    email: str | None = Field(description="Null for door staff.")


class TicketOut(Schema):
    """A ticket as the asker may see it. Door staff see neither code, nor files, nor e-mail address."""

    model_config = ConfigDict(json_schema_extra={"examples": [TICKET_EXAMPLE]})

    ticket_id: UUID
    event: EventOut
    holder: HolderOut
    quantity: int = Field(description="How many people the ticket admits, all at once.")
    ticket_type: str | None
    order_reference: str
    state: EventTicket.State = Field(
        description="Of the files: `pending` (being made), `ready`, or `failed` (tried again by itself). The code is "
        "valid in each of them."
    )
    reason: str | None = Field(description="Why the last attempt to make the files failed; for organisers only.")
    code: str | None = Field(
        description="The QR code's own text: draw it when there is no picture yet, or no reception. Treat it as "
        "opaque; when it changes, every earlier code of this ticket is dead. Null for door staff."
    )
    qr_code_url: str | None = Field(description="PNG, 300 x 300; null while there is none that carries this code.")
    pdf_ticket_url: str | None = Field(description="PDF; null while there is none that carries this code.")
    apple_wallet_url: str | None = Field(
        description="The pass for Apple Wallet, fetched with the same sign-in; null where none are offered."
    )
    google_wallet_url: str | None = Field(
        description="Leads to Google, which saves the pass, with the same sign-in; null where none are offered."
    )
    issued_at: datetime
    used_at: datetime | None = Field(description="When its holder was let in.")


class TicketPage(Schema):
    items: list[TicketOut] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class RegenerateIn(Schema):
    # A misspelt wish must not pass for the wish's opposite.
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reissue": True}]})

    reissue: StrictBool = Field(
        False,
        description="Also give the ticket a new code: earlier copies are refused, and earlier links stop working. "
        "Organisers only.",
    )


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("Must not contain the character NUL.")
    return text


class EventTicketsQuery(PageQuery):
    state: EventTicket.State | None = Field(None, description="Only tickets whose files are in this state.")
    search: Annotated[str, AfterValidator(_without_nul)] = Field(
        "",
        max_length=200,
        description="Part of the holder's name, of the e-mail address or of the order reference; or a whole ticket id.",
    )


class ScanIn(Schema):
    """A code as it was scanned, character for character."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"code": CODE_EXAMPLE, "event": 1}]})

    code: str = Field(max_length=100_000)
    event: StrictInt | None = Field(
        None, description="Id of the event at whose door this is, to refuse tickets of others."
    )


class ScannedEventOut(Schema):
    id: int
    title: str
    starts_at: datetime


class ScannedTicketOut(Schema):
    """What the door needs to know of a ticket, and no more."""

    ticket_id: UUID
    event: ScannedEventOut
    holder_name: str
    quantity: int = Field(description="How many people to let in.")
    ticket_type: str | None
    order_reference: str
    used_at: datetime | None = Field(description="When somebody was let in with this ticket.")


class VerdictOut(Schema):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "verdict": "valid",
                    "message": "Valid: 2 people.",
                    "ticket": {
                        "ticket_id": TICKET_EXAMPLE["ticket_id"],
                        "event": {key: EVENT_EXAMPLE[key] for key in ("id", "title", "starts_at")},
                        "holder_name": "John Doe",
                        "quantity": 2,
                        "ticket_type": "Standing",
                        "order_reference": "R-2027-0815",
                        "used_at": None,
                    },
                }
            ]
        }
    )

    verdict: Verdict = Field(
        description="`valid`; `used` before; `reissued` (a newer code exists, this one is dead); `wrong_event` (a "
        "ticket of another event of your teams); `unknown` (no ticket of your teams' events)."
    )
    message: str = Field(description="The verdict for people.")
    ticket: ScannedTicketOut | None = Field(description="Null when the verdict is `unknown`.")


class KeysOut(Schema):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"keys": {"0": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}]}
    )

    keys: dict[str, str] = Field(description="Key id, as in the code's second byte -> Ed25519 public key in Base64.")
