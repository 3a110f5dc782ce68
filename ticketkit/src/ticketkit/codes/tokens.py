"""Sign and verify the code in a ticket's QR code. Devices can verify it offline.

A code is `AD1:` followed by 87 bytes in Base45: 135 characters, all in the QR alphanumeric set. The bytes are:

    offset  bytes  field
    0       1      format, 1
    1       1      key id
    2       4      event id, big-endian
    6       16     ticket UUID
    22      1      code generation; incremented when the code is re-issued, which invalidates every earlier code
    23      64     Ed25519 signature (RFC 8032) over the domain prefix and the 23 bytes before it

A valid signature proves that the holder of the signing key issued the code. Only the database knows whether its
generation is current and whether the ticket has been used.
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
# Domain separation: a signature made with the same key for another purpose never verifies as a ticket's code.
_DOMAIN: Final = b"admit ticket code 1\x00"
# Longer than a code with anything that scanners add to it; limits the work that a hostile QR code can cause.
_MAX_SCANNED_CHARACTERS: Final = 4096

MAX_QR_CHARACTERS: Final = 7089  # digits in the largest QR code; it holds fewer characters of any other kind

# Base45 (RFC 9285) encodes binary data in the QR alphanumeric set, which takes 5.5 bits a character.
BASE45_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE45_PAIRS: Final = [first + second for second in BASE45_ALPHABET for first in BASE45_ALPHABET]
_BASE45_VALUES: Final = {character: value for value, character in enumerate(BASE45_ALPHABET)}

_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Code:
    """The content of a code whose signature is valid."""

    event_id: int
    ticket_id: UUID
    generation: int
    key_id: int


class InvalidCodeError(ValueError):
    """Scanned text is not a valid code.

    `reason` is a stable identifier: `foreign` (another system's code, or no code at all), `malformed` (has the prefix,
    but is damaged or truncated), `unsupported_format` (made by a later version), `unknown_key` or `bad_signature`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SigningKey:
    """An Ed25519 key that signs codes.

    `seed` is the private key, 32 secret bytes. `key_id`, 0 to 255, is part of every code. Raises ValueError for an id
    out of range or a seed of another length.
    """

    def __init__(self, key_id: int, seed: bytes) -> None:
        _require_in_range("key id", key_id, MAX_KEY_ID)
        if len(seed) != _SEED_BYTES:
            raise ValueError(f"the seed of a signing key has {_SEED_BYTES} bytes, not {len(seed)}")
        self.key_id = key_id
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id}, public_key={self.public_key.hex()})"

    def sign(self, event_id: int, ticket_id: UUID, generation: int) -> str:
        """Return the code for a ticket; the same arguments always give the same code.

        Raises ValueError if `event_id` does not fit in 4 bytes or `generation` in 1.
        """
        _require_in_range("event id", event_id, MAX_EVENT_ID)
        _require_in_range("code generation", generation, MAX_GENERATION)
        header = _HEADER.pack(_FORMAT, self.key_id, event_id, ticket_id.bytes, generation)
        return PREFIX + base45_encode(header + self._private.sign(_DOMAIN + header))


def key_from_base64(text: str, key_id: int) -> SigningKey:
    """Return the key whose 32-byte seed is `text` in Base64, standard or URL-safe (`openssl rand -base64 32`).

    Raises ValueError for text that is not Base64 or does not decode to 32 bytes.
    """
    try:
        seed = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a signing key has to be Base64; `openssl rand -base64 32` makes one") from None
    return SigningKey(key_id, seed)


def derive_key(secret: bytes, key_id: int) -> SigningKey:
    """Return a key derived from `secret` with HKDF-SHA256 (RFC 5869), for deployments without a key of their own.

    Each `key_id` gives an independent key. When the secret changes, list the old public key as retired; otherwise every
    code issued before stops being accepted. Raises ValueError for a secret of fewer than 32 bytes.
    """
    if len(secret) < _SEED_BYTES:
        raise ValueError(f"the secret of a derived signing key needs at least {_SEED_BYTES} bytes, not {len(secret)}")
    _require_in_range("key id", key_id, MAX_KEY_ID)
    info = b"admit ticket code signing key " + bytes([key_id])
    return SigningKey(key_id, HKDF(algorithm=SHA256(), length=_SEED_BYTES, salt=None, info=info).derive(secret))


class KeyRing:
    """The key that signs new codes, and all public keys whose codes are accepted.

    `retired` maps key ids to raw 32-byte Ed25519 public keys. Raises ValueError if a retired key is not a valid public
    key, or has the id of the signing key but another value.
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
        """Return the code for a ticket; see `SigningKey.sign`."""
        return self._signing.sign(event_id, ticket_id, generation)

    def public_keys(self) -> dict[int, bytes]:
        """Return the accepted public keys (raw, 32 bytes) by key id, for devices that verify codes offline."""
        return dict(self._public)

    def read(self, text: str) -> Code:
        """Verify a scanned code and return its content.

        Ignores surrounding whitespace and lower case, which scanners that act as keyboards produce. Raises
        InvalidCodeError if the text is not a code or its signature is not valid.
        """
        raw = _unpack(text)
        header, signature = raw[: _HEADER.size], raw[_HEADER.size :]
        version, key_id, event_id, ticket_bytes, generation = _HEADER.unpack(header)
        if version != _FORMAT:
            raise InvalidCodeError(
                "unsupported_format", f"this code has format {version}; only {_FORMAT} is known here"
            )
        verifier = self._verifiers.get(key_id)
        if verifier is None:
            raise InvalidCodeError("unknown_key", f"this code was signed by key {key_id}, which is not accepted here")
        try:
            verifier.verify(signature, _DOMAIN + header)
        except InvalidSignature:
            raise InvalidCodeError("bad_signature", "the signature is wrong: this code was forged or altered") from None
        return Code(event_id=event_id, ticket_id=UUID(bytes=ticket_bytes), generation=generation, key_id=key_id)


def is_signed_form(text: str) -> bool:
    """Return whether the text has the prefix of a signed code. Accept such text only if its signature is valid."""
    return text.lstrip()[: len(PREFIX)].upper() == PREFIX


def parse_legacy(text: str) -> UUID | None:
    """Return the ticket id in an unsigned code of earlier versions, or None if `text` is no such code.

    These codes were a bare UUID, or a JSON object with a `ticket_id`. They prove nothing: accept one only for a ticket
    that was issued with it.
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
    """Return the 87 bytes of a scanned code. Raises InvalidCodeError for text of another form."""
    if len(text) > _MAX_SCANNED_CHARACTERS:
        raise InvalidCodeError("foreign", "this is far too long to be a ticket's code")
    # Safe although Base45 contains a space: the last character of a code is always between 0 and 5.
    text = text.strip()
    if not text.isascii() or text[: len(PREFIX)].upper() != PREFIX:
        raise InvalidCodeError("foreign", f"this is not a ticket's code, which begins with {PREFIX}")
    if len(text) != _CODE_CHARACTERS:
        raise InvalidCodeError("malformed", f"a ticket's code has {_CODE_CHARACTERS} characters, this has {len(text)}")
    try:
        return base45_decode(text[len(PREFIX) :].upper())
    except ValueError as error:
        raise InvalidCodeError("malformed", f"this code is damaged: {error}") from None


def base45_encode(data: bytes) -> str:
    """Encode `data` in Base45: three characters for every two bytes, two characters for an odd last byte."""
    words = struct.unpack_from(f">{len(data) // 2}H", data)
    text = "".join([_BASE45_PAIRS[word % 2025] + BASE45_ALPHABET[word // 2025] for word in words])
    return text + _BASE45_PAIRS[data[-1]] if len(data) % 2 else text


def base45_decode(text: str) -> bytes:
    """Decode `text` from Base45.

    Raises ValueError for a character outside the alphabet, an incomplete group, or a group whose value does not fit in
    its bytes (RFC 9285, section 6).
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
        raise ValueError("a Base45 group is incomplete, or its value does not fit in its bytes") from None


def _public_key(key_id: int, raw: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise ValueError(f"public key {key_id} is not an Ed25519 key of 32 raw bytes") from None


def _require_in_range(name: str, value: int, maximum: int) -> None:
    if not 0 <= value <= maximum:
        raise ValueError(f"{name} {value} does not fit in a ticket's code: 0 to {maximum}")
