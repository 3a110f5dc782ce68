"""The signed code inside a ticket's QR: made here, read here and on devices that are offline.

A code is `AD1:` followed by the Base45 form of 87 bytes, 135 characters in all, every one of them in the QR
alphanumeric set:

    offset  bytes  field
    0       1      format, 1
    1       1      key id
    2       4      event id, big-endian
    6       16     ticket UUID
    22      1      code generation; raised when a code is re-issued, which makes every earlier copy worthless
    23      64     Ed25519 signature (RFC 8032) over the domain prefix and the 23 bytes before it

A code proves that we issued it. Whether its generation is still the current one, and whether the ticket has
been used, is for the database to say.
"""

import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX: Final = "AD1:"
MAX_EVENT_ID: Final = 0xFFFF_FFFF
MAX_GENERATION: Final = 0xFF
MAX_KEY_ID: Final = 0xFF

_FORMAT: Final = 1
_HEADER: Final = struct.Struct(">BBI16sB")
_SEED_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_CODE_CHARACTERS: Final = 135
# Signed in front of the header, so that a signature made with the same key for any other purpose is never a ticket.
_DOMAIN: Final = b"admit ticket code 1\x00"
# More than a scanner adds around a code, and a bound on the work that a hostile picture can ask for.
_MAX_SCANNED_CHARACTERS: Final = 4096

MAX_QR_CHARACTERS: Final = 7089  # digits in the largest QR code, which holds fewer of anything else

# Base45 (RFC 9285): binary data in the 45 characters that a QR code holds at 5.5 bits each.
BASE45_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE45_PAIRS: Final = [first + second for second in BASE45_ALPHABET for first in BASE45_ALPHABET]
_BASE45_VALUES: Final = {character: value for value, character in enumerate(BASE45_ALPHABET)}

_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Code:
    """What a genuine code says."""

    event_id: int
    ticket_id: UUID
    generation: int
    key_id: int


class InvalidCode(ValueError):
    """Scanned text that is not a genuine code.

    `reason` is stable, for programs: `foreign` (another system's code, or no code at all), `malformed` (one of
    ours, damaged or cut off), `unsupported_format` (made by a later version), `unknown_key`, `bad_signature`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SigningKey:
    """An Ed25519 key that signs codes. `seed`: its 32 secret bytes; `key_id`: 0 to 255, carried in every code."""

    def __init__(self, key_id: int, seed: bytes) -> None:
        _require_in_range("key id", key_id, MAX_KEY_ID)
        if len(seed) != _SEED_BYTES:
            raise ValueError(f"a signing key is made of {_SEED_BYTES} bytes, not {len(seed)}")
        self.key_id = key_id
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id}, public_key={self.public_key.hex()})"

    def sign(self, event_id: int, ticket_id: UUID, generation: int) -> str:
        """Return the code for one ticket. Deterministic. Raises ValueError for a number that has no room."""
        _require_in_range("event id", event_id, MAX_EVENT_ID)
        _require_in_range("code generation", generation, MAX_GENERATION)
        header = _HEADER.pack(_FORMAT, self.key_id, event_id, ticket_id.bytes, generation)
        return PREFIX + base45_encode(header + self._private.sign(_DOMAIN + header))


def key_from_base64(text: str, key_id: int) -> SigningKey:
    """Return the key whose 32-byte seed is `text` in Base64 (either alphabet, as `openssl rand -base64 32` prints)."""
    try:
        seed = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a signing key has to be Base64; `openssl rand -base64 32` makes one") from None
    return SigningKey(key_id, seed)


def derive_key(secret: bytes, key_id: int) -> SigningKey:
    """Return a key derived from `secret` (HKDF-SHA256, RFC 5869), for a deployment with nothing but a SECRET_KEY.

    Another `key_id` gives an unrelated key. When the secret changes, list the old public key as retired, or every
    code issued until then stops being accepted.
    """
    if len(secret) < _SEED_BYTES:
        raise ValueError(f"a secret to derive a signing key from has at least {_SEED_BYTES} bytes, not {len(secret)}")
    _require_in_range("key id", key_id, MAX_KEY_ID)
    info = b"admit ticket code signing key " + bytes([key_id])
    return SigningKey(key_id, HKDF(algorithm=SHA256(), length=_SEED_BYTES, salt=None, info=info).derive(secret))


class KeyRing:
    """The key that signs today, and the public keys whose codes are still accepted.

    `retired` maps key ids to raw 32-byte Ed25519 public keys.
    """

    def __init__(self, signing: SigningKey, retired: Mapping[int, bytes] | None = None) -> None:
        keys = dict(retired or {})
        for key_id in keys:
            _require_in_range("key id", key_id, MAX_KEY_ID)
        if keys.setdefault(signing.key_id, signing.public_key) != signing.public_key:
            raise ValueError(f"key id {signing.key_id} is both signing and retired: give the new signing key a new id")
        self._signing = signing
        self._public = keys
        self._verifiers = {key_id: _public_key(key_id, raw) for key_id, raw in keys.items()}

    def sign(self, event_id: int, ticket_id: UUID, generation: int) -> str:
        """Return the code for one ticket, signed by the current key."""
        return self._signing.sign(event_id, ticket_id, generation)

    def public_keys(self) -> dict[int, bytes]:
        """Return every accepted key as key id -> raw public key: what a device needs to verify offline."""
        return dict(self._public)

    def read(self, text: str) -> Code:
        """Return what a scanned code says, its signature verified. Raises InvalidCode.

        Whitespace around the code and lower case are forgiven: scanners that act as keyboards add both.
        """
        raw = _unpack(text)
        header, signature = raw[: _HEADER.size], raw[_HEADER.size :]
        version, key_id, event_id, ticket_bytes, generation = _HEADER.unpack(header)
        if version != _FORMAT:
            raise InvalidCode("unsupported_format", f"this code has format {version}; only {_FORMAT} is known here")
        verifier = self._verifiers.get(key_id)
        if verifier is None:
            raise InvalidCode("unknown_key", f"this code was signed by key {key_id}, which is not accepted here")
        try:
            verifier.verify(signature, _DOMAIN + header)
        except InvalidSignature:
            raise InvalidCode("bad_signature", "the signature is wrong: this code was forged or altered") from None
        return Code(event_id=event_id, ticket_id=UUID(bytes=ticket_bytes), generation=generation, key_id=key_id)


def is_signed_form(text: str) -> bool:
    """Return whether the text looks like a signed code, genuine or not: then nothing but its signature may count."""
    return text.lstrip()[: len(PREFIX)].upper() == PREFIX


def parse_legacy(text: str) -> UUID | None:
    """Return the ticket id in a code printed before codes were signed, or None if `text` is no such code.

    Those codes were a bare UUID, or a JSON object with a `ticket_id`. They prove nothing: accept one only for
    a ticket that was issued in those days.
    """
    if len(text) > _MAX_SCANNED_CHARACTERS:
        return None
    text = text.strip()
    if text.startswith("{"):
        try:
            ticket_id = json.loads(text).get("ticket_id")
        except (ValueError, RecursionError):
            return None
        text = ticket_id if isinstance(ticket_id, str) else ""
    return UUID(text) if _UUID.fullmatch(text) else None


def _unpack(text: str) -> bytes:
    """Return the 87 bytes behind a scanned code. Raises InvalidCode."""
    if len(text) > _MAX_SCANNED_CHARACTERS:
        raise InvalidCode("foreign", "this is far too long to be a ticket's code")
    # Safe although Base45 has a space: a code begins with the prefix, and its last character is never above 5.
    text = text.strip()
    if not text.isascii() or text[: len(PREFIX)].upper() != PREFIX:
        raise InvalidCode("foreign", f"this is not a ticket's code: those begin with {PREFIX}")
    if len(text) != _CODE_CHARACTERS:
        raise InvalidCode("malformed", f"a ticket's code has {_CODE_CHARACTERS} characters, this has {len(text)}")
    try:
        return base45_decode(text[len(PREFIX) :].upper())
    except ValueError as error:
        raise InvalidCode("malformed", f"this code is damaged: {error}") from None


def base45_encode(data: bytes) -> str:
    """Encode `data`: three characters for every two bytes, two characters for an odd last byte."""
    words = struct.unpack_from(f">{len(data) // 2}H", data)
    text = "".join([_BASE45_PAIRS[word % 2025] + BASE45_ALPHABET[word // 2025] for word in words])
    return text + _BASE45_PAIRS[data[-1]] if len(data) % 2 else text


def base45_decode(text: str) -> bytes:
    """Decode `text`.

    Raises ValueError for a character outside the alphabet, a dangling character, or a group worth more than
    the bytes it stands for (RFC 9285, section 6, asks for all three to be refused).
    """
    try:
        values = [_BASE45_VALUES[character] for character in text]
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is not a Base45 character") from None
    whole = len(values) // 3 * 3
    try:
        words = [values[i] + 45 * values[i + 1] + 2025 * values[i + 2] for i in range(0, whole, 3)]
        data = struct.pack(f">{len(words)}H", *words)
        if len(values) == whole:
            return data
        low, high = values[whole:]
        return data + bytes([low + 45 * high])
    except (struct.error, ValueError):
        raise ValueError("a Base45 group is cut off, or stands for more than its bytes can hold") from None


def _public_key(key_id: int, raw: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise ValueError(f"public key {key_id} is not an Ed25519 key of 32 raw bytes") from None


def _require_in_range(name: str, value: int, maximum: int) -> None:
    if not 0 <= value <= maximum:
        raise ValueError(f"{name} {value} does not fit in a ticket's code: 0 to {maximum}")
