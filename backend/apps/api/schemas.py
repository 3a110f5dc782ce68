"""Request and response schemas, with the descriptions and examples for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict, StrictBool, StrictInt
from pydantic.config import JsonDict

from apps.checkin.admission import Verdict
from apps.events.models import EventTicket

from .pagination import PageQuery

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
    starts_at: datetime = Field(description="Carries the offset of the event's time zone at that moment.")
    ends_at: datetime | None
    doors_at: datetime | None = Field(description="When the doors open.")
    time_zone: str = Field(description="IANA name of the event's time zone.")
    venue: str
    address: str
    cover_url: str | None = Field(
        description="The event's picture. Needs no sign-in. The content of a URL never changes: a new picture gets a "
        "new URL."
    )


class HolderOut(Schema):
    name: str
    email: str | None = Field(description="Null for door staff.")


class TicketOut(Schema):
    """A ticket. Fields that you may not see are null: door staff get no code, no files and no e-mail address."""

    model_config = ConfigDict(json_schema_extra={"examples": [TICKET_EXAMPLE]})

    ticket_id: UUID
    event: EventOut
    holder: HolderOut
    quantity: int = Field(description="The number of people that the ticket admits, all at once.")
    ticket_type: str | None
    order_reference: str
    state: EventTicket.State = Field(
        description="The state of the files: `pending` (being created), `ready`, or `failed` (the server retries if "
        "that can help). The code is valid in every state."
    )
    reason: str | None = Field(description="Why the last attempt to create the files failed. For organisers only.")
    code: str | None = Field(
        description="The text of the QR code. Draw it yourself while there is no picture or no network. Treat it as "
        "opaque. When it changes, all earlier codes of this ticket are invalid. Null for door staff."
    )
    qr_code_url: str | None = Field(description="PNG, 300 x 300 pixels. Null while there is no file with this code.")
    pdf_ticket_url: str | None = Field(description="PDF. Null while there is no file with this code.")
    apple_wallet_url: str | None = Field(
        description="The pass for Apple Wallet. Send the same credentials. Null if the server offers no such passes."
    )
    google_wallet_url: str | None = Field(
        description="Redirects to Google, which saves the pass. Send the same credentials. Null if the server offers "
        "no such passes."
    )
    issued_at: datetime
    used_at: datetime | None = Field(description="When the holder was admitted. Null before.")


class TicketPage(Schema):
    items: list[TicketOut] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="The cursor of the next page. Null on the last page.")


class RegenerateIn(Schema):
    # Refuse unknown fields: a misspelt `reissue` must not silently mean "keep the code".
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reissue": True}]})

    reissue: StrictBool = Field(
        False,
        description="Also give the ticket a new code. Earlier copies are refused, and earlier links stop working. For "
        "organisers only.",
    )


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("Must not contain NUL characters.")
    return text


class EventTicketsQuery(PageQuery):
    state: EventTicket.State | None = Field(None, description="Only tickets whose files are in this state.")
    search: Annotated[str, AfterValidator(_without_nul)] = Field(
        "",
        max_length=200,
        description="Part of the holder's name, e-mail address or order reference, or a whole ticket id.",
    )


class ScanIn(Schema):
    """A scanned code. Send it unchanged, character for character."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"code": CODE_EXAMPLE, "event": 1}]})

    code: str = Field(max_length=100_000)
    event: StrictInt | None = Field(
        None, description="The id of the event that is being checked in. Tickets of other events are refused."
    )


class ScannedEventOut(Schema):
    id: int
    title: str
    starts_at: datetime


class ScannedTicketOut(Schema):
    """The part of a ticket that check-in needs."""

    ticket_id: UUID
    event: ScannedEventOut
    holder_name: str
    quantity: int = Field(description="The number of people to admit.")
    ticket_type: str | None
    order_reference: str
    used_at: datetime | None = Field(description="When the holder was admitted. Null before.")


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
        description="`valid`; `used` (admitted before); `reissued` (replaced by a newer code); `wrong_event` (a ticket "
        "for another event of your teams); `unknown` (not a ticket for any event of your teams)."
    )
    message: str = Field(description="The verdict in words, for people.")
    ticket: ScannedTicketOut | None = Field(description="Null if the verdict is `unknown`.")


class KeysOut(Schema):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"keys": {"0": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}]}
    )

    keys: dict[str, str] = Field(
        description="Maps each key id (the second byte of a code) to its Ed25519 public key in Base64."
    )
