"""Apple Wallet passes: a ZIP of pass.json, pictures, their manifest and a PKCS #7 signature over it."""

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

# Where each text goes on an event ticket, from front to back.
_FIELDS: Final = {
    "primaryFields": ("title",),
    "secondaryFields": ("date", "venue"),
    "auxiliaryFields": ("holder", "ticket_type"),
    "backFields": ("doors", "address", "price", "quantity", "order_reference", "ticket_id", "terms"),
}


class ApplePassTemplate:
    """Makes the passes of one event. Building it takes some tens of milliseconds: it prepares the pictures."""

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
        """Return the pass: a .pkpass file, to be served as application/vnd.apple.pkpass.

        It is signed with the time of its making, so two passes of one ticket differ.
        """
        content = json.dumps(self._common | self._fill(ticket), ensure_ascii=False, separators=(",", ":")).encode()
        manifest = json.dumps(self._hashes | _hashes({"pass.json": content})).encode()
        files = {"pass.json": content, "manifest.json": manifest, "signature": self._sign(manifest)}
        return self._archive.with_files(files)

    def _describe(self, accent: Colour) -> dict[str, Any]:
        """Return what all passes of the event have in common."""
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
        """Return what is the ticket's own."""
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
        return "" if key == "doors" else self._labels.get(key, "")  # its text begins with what it is

    def _sign(self, manifest: bytes) -> bytes:
        """Return the detached signature in DER, with both certificates and the time of signing."""
        builder = PKCS7SignatureBuilder().set_data(manifest)
        builder = builder.add_signer(self._credentials.certificate, self._credentials.private_key, SHA256())
        options = [PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoCapabilities]
        return builder.add_certificate(self._credentials.intermediate).sign(Encoding.DER, options)


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return what a manifest lists: the SHA-1 that Apple's format demands; the signature over it uses SHA-256."""
    return {name: hashlib.sha1(data, usedforsecurity=False).hexdigest() for name, data in files.items()}


def _rgb(colour: Colour) -> str:
    red, green, blue = (round(255 * part) for part in colour)
    return f"rgb({red}, {green}, {blue})"
