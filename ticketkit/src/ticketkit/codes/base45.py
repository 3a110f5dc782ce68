"""Base45 (RFC 9285): binary data in the 45 characters that a QR code holds at 5.5 bits each."""

import struct

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_PAIRS = [first + second for second in ALPHABET for first in ALPHABET]
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def base45_encode(data: bytes) -> str:
    """Encode `data`: three characters for every two bytes, two characters for an odd last byte."""
    words = struct.unpack_from(f">{len(data) // 2}H", data)
    text = "".join([_PAIRS[word % 2025] + ALPHABET[word // 2025] for word in words])
    return text + _PAIRS[data[-1]] if len(data) % 2 else text


def base45_decode(text: str) -> bytes:
    """Decode `text`.

    Raises ValueError for a character outside the alphabet, a dangling character, or a group worth more than
    the bytes it stands for (RFC 9285, section 6, asks for all three to be refused).
    """
    try:
        values = [_VALUES[character] for character in text]
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
