"""Google Wallet passes: a JSON Web Token (RS256) that the holder's phone turns into a pass."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from apps.events.rendering.colour import parse_colour
from apps.events.rendering.content import clean, event_texts, ticket_texts
from apps.events.rendering.dates import local_iso
from apps.events.rendering.details import EventDetails, TicketDetails
from apps.events.rendering.errors import RenderingError
from apps.events.rendering.labels import labels_for
from apps.events.rendering.wallet.credentials import GoogleCredentials

_SAVE_URL: Final = "https://pay.google.com/gp/v/save/"
_KEY: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MODULES: Final = ("price", "quantity", "number")


class GooglePassTemplate:
    """Makes the passes of one event. `event_key` (letters, digits, `.`, `_`, `-`) names the event with Google.

    A link only ever creates: what Google has under an id stays as it is, whatever later links say. So ids end in a
    digest of what they stand for, and a re-issued ticket or a changed event gets a pass of its own.

    Each pass carries the event's class, which Google then creates. Once it has `event_class`, `class_exists` leaves
    it out: links stay below 1800 characters, the length that Google calls safe in every browser.
    """

    def __init__(
        self, event: EventDetails, credentials: GoogleCredentials, event_key: str, *, class_exists: bool = False
    ) -> None:
        self._event = event
        self._class_exists = class_exists
        self._credentials = credentials
        self._labels = labels_for(event.language)
        self._texts = event_texts(event, self._labels)
        self.event_class = self._identified(event_key, self._describe())

    def link(self, ticket: TicketDetails, issued_at: datetime | None = None) -> str:
        """Return the address behind an "Add to Google Wallet" button."""
        return _SAVE_URL + self.render(ticket, issued_at)

    def render(self, ticket: TicketDetails, issued_at: datetime | None = None) -> str:
        """Return the signed token. `issued_at` is now unless it is given."""
        payload = {"eventTicketObjects": [self._fill(ticket)]}
        if not self._class_exists:
            payload["eventTicketClasses"] = [self.event_class]
        claims = {
            "iss": self._credentials.email,
            "aud": "google",
            "typ": "savetowallet",
            "iat": int((issued_at or datetime.now(UTC)).timestamp()),
            "origins": [],
            "payload": payload,
        }
        return jwt.encode(claims, self._credentials.private_key, algorithm="RS256")

    def _describe(self) -> dict[str, Any]:
        """Return the class: what all passes of the event have in common."""
        accent = "".join(f"{round(255 * part):02x}" for part in parse_colour(self._event.accent))
        described: dict[str, Any] = {
            "issuerName": clean(self._event.organiser) or self._texts["title"],
            "eventName": self._localised(self._texts["title"]),
            "hexBackgroundColor": f"#{accent}",
            "reviewStatus": "UNDER_REVIEW",
        }
        if "venue" in self._texts and "address" in self._texts:  # Google wants both or none
            venue = {"name": self._texts["venue"], "address": self._texts["address"]}
            described["venue"] = {name: self._localised(text) for name, text in venue.items()}
        times = {"doorsOpen": self._event.doors_at, "start": self._event.starts_at, "end": self._event.ends_at}
        zone = self._event.time_zone  # Google shows the digits that it is sent
        if self._event.starts_at:
            described["dateTime"] = {name: local_iso(time, zone) for name, time in times.items() if time}
        return described

    def _fill(self, ticket: TicketDetails) -> dict[str, Any]:
        """Return the object: what is the ticket's own."""
        texts = ticket_texts(ticket, self._labels, "date" not in self._texts)
        filled: dict[str, Any] = {
            "classId": self.event_class["id"],
            "state": "ACTIVE",
            "ticketNumber": ticket.ticket_id,
            "barcode": {"type": "QR_CODE", "value": ticket.code},
        }
        if "holder" in texts:
            filled["ticketHolderName"] = texts["holder"]
        if "ticket_type" in texts:
            filled["ticketType"] = self._localised(texts["ticket_type"])
        if "order_reference" in texts:
            filled["reservationInfo"] = {"confirmationCode": texts["order_reference"]}
        shown = [name for name in ("date", *_MODULES) if name in texts]
        filled["textModulesData"] = [{"id": n, "header": self._labels[n], "body": texts[n]} for n in shown]
        return self._identified(ticket.ticket_id, filled)

    def _identified(self, key: str, described: dict[str, Any]) -> dict[str, Any]:
        """Return a class or an object with its id."""
        if not _KEY.fullmatch(key):
            raise RenderingError(f"Google Wallet takes ids of 1 to 64 letters, digits, '.', '_' and '-', not {key!r}")
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]
        return {"id": f"{self._credentials.issuer_id}.{key}-{digest}", **described}

    def _localised(self, text: str) -> dict[str, Any]:
        return {"defaultValue": {"language": self._event.language, "value": text}}
