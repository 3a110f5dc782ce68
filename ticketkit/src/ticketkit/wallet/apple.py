"""Create Apple Wallet passes: ZIP archives of pass.json, pictures, a manifest, and its PKCS #7 signature."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from ticketkit.rendering.colour import WHITE, Colour, parse_colour, readable
from ticketkit.rendering.content import clean_text, event_texts, ticket_texts
from ticketkit.rendering.dates import local_iso
from ticketkit.rendering.details import EventDetails, TicketDetails
from ticketkit.rendering.labels import labels_for
from ticketkit.wallet.archive import StoredArchive
from ticketkit.wallet.artwork import pass_pictures
from ticketkit.wallet.credentials import AppleCredentials

# The fields of an event ticket, from front to back.
_FIELDS: Final = {
    "primaryFields": ("title",),
    "secondaryFields": ("date", "venue"),
    "auxiliaryFields": ("holder", "ticket_type"),
    "backFields": ("doors", "address", "price", "quantity", "order_reference", "ticket_id", "terms"),
}


class ApplePassTemplate:
    """Creates the passes of an event. Building a template takes tens of milliseconds, for the pictures.

    Raises RenderingError for a picture, colour or time zone that is invalid.
    """

    def __init__(self, event: EventDetails, credentials: AppleCredentials) -> None:
        self._event = event
        self._credentials = credentials
        self._labels = labels_for(event.language)
        self._texts = event_texts(event, self._labels)
        accent = parse_colour(event.accent)
        pictures = pass_pictures(event, accent)
        self._archive = StoredArchive(pictures)
        self._hashes = _hashes(pictures)
        self._common = self._describe(accent)

    def render(self, ticket: TicketDetails) -> bytes:
        """Return the pass as a .pkpass file, to be served as application/vnd.apple.pkpass.

        The signature contains the time, so two passes of a ticket differ. Raises RenderingError if the ticket has no
        id.
        """
        content = json.dumps(self._common | self._fill(ticket), ensure_ascii=False, separators=(",", ":")).encode()
        manifest = json.dumps(self._hashes | _hashes({"pass.json": content})).encode()
        files = {"pass.json": content, "manifest.json": manifest, "signature": self._sign(manifest)}
        return self._archive.with_files(files)

    def _describe(self, accent: Colour) -> dict[str, Any]:
        """Return the part of pass.json that all passes of the event share."""
        title = self._texts["title"]
        organiser = clean_text(self._event.organiser)
        ink = _rgb(readable(WHITE, accent))
        common = {
            "formatVersion": 1,
            "passTypeIdentifier": self._credentials.pass_type_identifier,
            "teamIdentifier": self._credentials.team_identifier,
            "organizationName": organiser or title,
            "description": f"{self._labels['ticket']}: {title}",
            "backgroundColor": _rgb(accent),
            "foregroundColor": ink,
            "labelColor": ink,
        }
        if not self._event.logo and organiser:
            common["logoText"] = organiser
        if self._event.starts_at:
            common["relevantDate"] = local_iso(self._event.starts_at, self._event.time_zone)
        if self._event.ends_at:
            common["expirationDate"] = local_iso(self._event.ends_at, self._event.time_zone)
        return common

    def _fill(self, ticket: TicketDetails) -> dict[str, Any]:
        """Return the ticket's part of pass.json."""
        texts = self._texts | ticket_texts(ticket, self._labels, "date" not in self._texts)
        if "time" in texts:
            texts["date"] = f"{texts['date']}, {texts['time']}"
        fields = {
            place: [{"key": key, "label": self._label(key), "value": texts[key]} for key in keys if key in texts]
            for place, keys in _FIELDS.items()
        }
        barcode = {
            "format": "PKBarcodeFormatQR",
            "message": ticket.code,
            "messageEncoding": "iso-8859-1" if ticket.code.isascii() else "utf-8",
            "altText": texts.get("order_reference", ticket.ticket_id),
        }
        return {"serialNumber": ticket.ticket_id, "eventTicket": fields, "barcodes": [barcode]}

    def _label(self, key: str) -> str:
        return "" if key == "doors" else self._labels.get(key, "")  # the text of the doors begins with its label

    def _sign(self, manifest: bytes) -> bytes:
        """Return the detached signature in DER, with both certificates and the signing time."""
        builder = PKCS7SignatureBuilder().set_data(manifest)
        builder = builder.add_signer(self._credentials.certificate, self._credentials.private_key, SHA256())
        options = [PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoCapabilities]
        return builder.add_certificate(self._credentials.intermediate).sign(Encoding.DER, options)


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-1 digests for a manifest, as Apple's format requires. The signature itself uses SHA-256."""
    return {name: hashlib.sha1(data, usedforsecurity=False).hexdigest() for name, data in files.items()}


def _rgb(colour: Colour) -> str:
    red, green, blue = (round(255 * part) for part in colour)
    return f"rgb({red}, {green}, {blue})"
