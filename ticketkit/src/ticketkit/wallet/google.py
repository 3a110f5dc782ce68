"""Create Google Wallet passes: links with a JSON Web Token (RS256)."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from ticketkit.rendering.colour import parse_colour
from ticketkit.rendering.content import clean_text, event_texts, ticket_texts
from ticketkit.rendering.dates import local_iso
from ticketkit.rendering.details import EventDetails, TicketDetails
from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.labels import labels_for
from ticketkit.wallet.credentials import GoogleCredentials

_SAVE_URL: Final = "https://pay.google.com/gp/v/save/"
_KEY: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_LINK_CHARACTERS: Final = 1799
_UNLIMITED_BYTES: Final = 10**6
_OBJECT_BYTES: Final = 430  # needed for a ticket with a signed code and a name of about 60 bytes
_TEXT_BYTES: Final = (1000, 120, 80, 60, 40, 24)  # text lengths in UTF-8 to try, until the link is short enough
_MODULES: Final = ("quantity", "date", "price")  # the most important first


def shortened(text: str, limit: int) -> str:
    """Return the text, shortened with an ellipsis to at most `limit` bytes of UTF-8."""
    if len(text.encode()) <= limit:
        return text
    kept = text.encode()[: limit - len("…".encode())].decode("utf-8", "ignore")
    while kept and unicodedata.combining(text[len(kept)]):  # do not cut between a letter and its accents
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class GooglePassTemplate:
    """Creates the passes of an event. `event_key` (1 to 64 letters, digits, `.`, `_`, `-`) is the event's id at Google.

    Google never updates a class or object from a link. Therefore ids end in a digest of the content: a re-issued ticket
    or a changed event gets a new pass.

    Each link contains the event's class, which Google creates if needed. Once Google has `event_class`, pass
    `class_exists` to omit it, which leaves more room for the ticket's details.

    Links stay below 1800 characters, the limit that Google gives for all browsers. Required texts are always included,
    shortened if necessary; optional details are added while they fit, in the order of `_describe` and `_fill`.
    Raises RenderingError for an invalid key, colour or time zone.
    """

    def __init__(self, event: EventDetails, credentials: GoogleCredentials, event_key: str) -> None:
        self._event = event
        self._credentials = credentials
        self._labels = labels_for(event.language)
        self._texts = event_texts(event, self._labels)
        empty = self._claims({"eventTicketObjects": [], "eventTicketClasses": []}, 10**9)
        self._room = (_MAX_LINK_CHARACTERS - len(_SAVE_URL) - len(self._sign(b""))) * 3 // 4 - len(_json(empty))
        # With no room, a class has only its required fields.
        rooms = (_UNLIMITED_BYTES, max(self._room - _OBJECT_BYTES, 0), 0)
        self._classes = [self._identified(event_key, self._describe(event_key, room)) for room in rooms]
        self.event_class = self._classes[0]

    def link(self, ticket: TicketDetails, issued_at: datetime | None = None, *, class_exists: bool = False) -> str:
        """Return the URL for an "Add to Google Wallet" button. Raises RenderingError as `render` does."""
        return _SAVE_URL + self.render(ticket, issued_at, class_exists=class_exists)

    def render(self, ticket: TicketDetails, issued_at: datetime | None = None, *, class_exists: bool = False) -> str:
        """Return the signed token; `issued_at` defaults to now.

        Raises RenderingError if the ticket's id is not valid at Google, or its code is too long for a link.
        """
        if class_exists:
            payload = {"eventTicketObjects": [self._fill(ticket, self.event_class, self._room)]}
        else:
            payload = self._class_and_object(ticket)
        claims = self._claims(payload, int((issued_at or datetime.now(UTC)).timestamp()))
        return self._sign(_json(claims))

    def _class_and_object(self, ticket: TicketDetails) -> dict[str, Any]:
        for event_class in self._classes:
            room = self._room - len(_json(event_class))
            try:
                filled = self._fill(ticket, event_class, room)
            except RenderingError:
                if event_class is self._classes[-1]:
                    raise
            else:
                break
        return {"eventTicketClasses": [event_class], "eventTicketObjects": [filled]}

    def _claims(self, payload: dict[str, Any], issued_at: int) -> dict[str, Any]:
        return {
            "iss": self._credentials.email,
            "aud": "google",
            "typ": "savetowallet",
            "iat": issued_at,
            "payload": payload,
        }

    def _sign(self, claims: bytes) -> str:
        """Return the token. Its header omits the optional type, which saves room."""
        return jwt.PyJWS().encode(claims, self._credentials.private_key, "RS256", headers={"typ": None})

    def _describe(self, key: str, room: int) -> dict[str, Any]:
        """Return the class, which all passes of the event share; without `room`, only its required fields."""
        accent = "".join(f"{round(255 * part):02x}" for part in parse_colour(self._event.accent))
        issuer, title = clean_text(self._event.organiser) or self._texts["title"], self._texts["title"]

        def required(limit: int) -> dict[str, Any]:
            return {
                "issuerName": shortened(issuer, limit),
                "eventName": self._localised(shortened(title, limit)),
                "reviewStatus": "UNDER_REVIEW",
            }

        if not room:
            return required(_TEXT_BYTES[-1])
        described, limit = self._first_that_fits(key, required, room)
        times = {"start": self._event.starts_at, "doorsOpen": self._event.doors_at, "end": self._event.ends_at}
        zone = self._event.time_zone  # Google shows local times as sent, without converting them
        dated: dict[str, str] = {}
        optional: list[dict[str, Any]] = []
        if self._event.starts_at:
            for name, time in times.items():
                if time:
                    dated = {**dated, name: local_iso(time, zone)}
                    optional.append({"dateTime": dated})
        if "venue" in self._texts and "address" in self._texts:  # Google requires both or none
            venue = {name: self._texts[text] for name, text in (("name", "venue"), ("address", "address"))}
            places = {name: self._localised(shortened(text, limit)) for name, text in venue.items()}
            optional.insert(1, {"venue": places})
        optional.append({"hexBackgroundColor": f"#{accent}"})
        return self._with(key, described, optional, room)

    def _fill(self, ticket: TicketDetails, event_class: dict[str, Any], room: int) -> dict[str, Any]:
        """Return the object, with the ticket's own details."""
        texts = ticket_texts(ticket, self._labels, "date" not in self._texts)

        def required(limit: int) -> dict[str, Any]:
            holder = {"ticketHolderName": shortened(texts["holder"], limit)} if "holder" in texts else {}
            barcode = {"type": "QR_CODE", "value": ticket.code}
            return {"classId": event_class["id"], "state": "ACTIVE", "barcode": barcode, **holder}

        filled, limit = self._first_that_fits(ticket.ticket_id, required, room)
        modules: list[dict[str, str]] = []
        optional: list[dict[str, Any]] = []
        if "ticket_type" in texts:
            optional.append({"ticketType": self._localised(shortened(texts["ticket_type"], limit))})
        for name in _MODULES:
            if name in texts:
                modules = [*modules, {"header": self._labels.get(name, ""), "body": shortened(texts[name], limit)}]
                optional.append({"textModulesData": modules})
        if "order_reference" in texts:
            optional.append({"reservationInfo": {"confirmationCode": texts["order_reference"]}})
        optional.append({"ticketNumber": ticket.ticket_id})
        return self._identified(ticket.ticket_id, self._with(ticket.ticket_id, filled, optional, room))

    def _first_that_fits(
        self, key: str, make: Callable[[int], dict[str, Any]], room: int
    ) -> tuple[dict[str, Any], int]:
        """Return the result of `make` with the longest texts that fit, and their maximum length in bytes."""
        for limit in _TEXT_BYTES:
            made = make(limit)
            if len(_json(self._identified(key, made))) <= room:
                return made, limit
        raise RenderingError("the ticket's code is too long for Google Wallet: its link takes some 300 characters")

    def _with(self, key: str, made: dict[str, Any], optional: list[dict[str, Any]], room: int) -> dict[str, Any]:
        """Return `made` with each of the optional parts that fits."""
        for part in optional:
            if len(_json(self._identified(key, made | part))) <= room:
                made = made | part
        return made

    def _identified(self, key: str, described: dict[str, Any]) -> dict[str, Any]:
        """Return a class or object with its id, which ends in a digest of its content."""
        if not _KEY.fullmatch(key):
            raise RenderingError(f"Google Wallet takes ids of 1 to 64 letters, digits, '.', '_' and '-', not {key!r}")
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]
        return {"id": f"{self._credentials.issuer_id}.{key}-{digest}", **described}

    def _localised(self, text: str) -> dict[str, Any]:
        return {"defaultValue": {"language": self._event.language, "value": text}}
