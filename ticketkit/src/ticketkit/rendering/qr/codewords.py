"""From text to the codeword stream of a QR symbol at level M: mode, padding, error correction, interleaving."""

from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, pairwise, zip_longest
from typing import Final, TypeVar

from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.qr.geometry import MAX_VERSION, Geometry, data_codewords

_ALPHANUMERIC: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_ALPHANUMERIC_VALUES: Final = bytes.maketrans(_ALPHANUMERIC, bytes(range(45)))
_CAPACITIES: Final = tuple(data_codewords(version) for version in range(1, MAX_VERSION + 1))
_PADDING: Final = b"\xec\x11" * (_CAPACITIES[-1] // 2 + 1)
_FIELD_POLYNOMIAL: Final = 0x11D

Codewords = TypeVar("Codewords", bytes, range)


def encode_text(text: str) -> tuple[int, bytes]:
    """Return the lowest version that holds `text` at level M, and its data codewords.

    Alphanumeric mode if every character allows it, else byte mode in UTF-8, which readers detect by themselves.
    Raises RenderingError if no version holds it.
    """
    encoded = _utf8(text)
    if encoded.translate(None, _ALPHANUMERIC):
        value, bits = int.from_bytes(encoded, "big"), 8 * len(encoded)
        mode, count_widths = 0b0100, (8, 16, 16)
    else:
        value, bits = _alphanumeric(encoded)
        mode, count_widths = 0b0010, (9, 11, 13)
    lowest = bisect_left(_CAPACITIES, bits // 8) + 1
    for version, capacity in enumerate(_CAPACITIES[lowest - 1 :], lowest):
        count_width = count_widths[(version > 9) + (version > 26)]
        used = 4 + count_width + bits
        unused = 8 * capacity - used
        if unused >= 0:
            stream = (mode << count_width | len(encoded)) << bits | value
            length = (used + min(4, unused) + 7) // 8
            return version, (stream << 8 * length - used).to_bytes(length, "big") + _PADDING[: capacity - length]
    raise RenderingError(f"a code of {len(text)} characters is too long for any QR code: shorten it")


def _alphanumeric(text: bytes) -> tuple[int, int]:
    """Return the bits of a text in alphanumeric mode as a number, and how many: 11 for two characters, 6 for the last.

    All pairs are worked on at once, side by side in one number: first 16 bits apart, then moved together in steps.
    """
    values = text.translate(_ALPHANUMERIC_VALUES)
    pairs = len(values) // 2
    high, low = bytearray(2 * pairs), bytearray(2 * pairs)
    high[1::2], low[1::2] = values[: 2 * pairs : 2], values[1::2]
    bits = 45 * int.from_bytes(high, "big") + int.from_bytes(low, "big")
    for lower, gap in _joining(pairs):
        right = bits & lower
        bits = (bits ^ right) >> gap | right
    return (bits << 6 | values[-1], 11 * pairs + 6) if len(values) % 2 else (bits, 11 * pairs)


@lru_cache
def _joining(pairs: int) -> tuple[tuple[int, int], ...]:
    """Return, for each step, the right ones of any two neighbours, and how far the left ones are from them."""
    steps = []
    apart, width = 16, 11
    while apart < 16 * pairs:
        one = (1 << width) - 1
        steps.append((sum(one << place for place in range(0, 16 * pairs, 2 * apart)), apart - width))
        apart, width = 2 * apart, 2 * width
    return tuple(steps)


def add_error_correction(data: bytes, geometry: Geometry) -> bytes:
    """Return the whole codeword stream: the data in blocks, each with its Reed-Solomon codewords, interleaved."""
    blocks = split(data, geometry.blocks)
    return bytes(interleave(blocks, [remainder(block, geometry.ec_codewords_per_block) for block in blocks]))


def interleave(blocks: Iterable[Iterable[int]], corrections: Iterable[Iterable[int]]) -> list[int]:
    """Return the order of ISO/IEC 18004:2015, 7.6: the first codeword of each block, the second of each, and so on."""
    columns = chain(zip_longest(*blocks), zip_longest(*corrections))
    return [codeword for column in columns for codeword in column if codeword is not None]


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise RenderingError("a code with half a surrogate pair cannot be drawn: pass well-formed text") from None


def split(data: Codewords, count: int) -> list[Codewords]:
    """Return `data` in `count` blocks, the longer ones last."""
    size, longer = divmod(len(data), count)
    ends = [size * i + max(0, i - count + longer) for i in range(count + 1)]
    return [data[start:end] for start, end in pairwise(ends)]


def remainder(block: bytes, length: int) -> bytes:
    """Return the `length` Reed-Solomon codewords of a block."""
    multiples = _generator_multiples(length)
    shift = 8 * (length - 1)
    low = (1 << shift) - 1
    register = 0
    for codeword in block:
        register = (register & low) << 8 ^ multiples[codeword ^ register >> shift]
    return register.to_bytes(length, "big")


@lru_cache
def _generator_multiples(length: int) -> tuple[int, ...]:
    """Return v * g for every field element v, g the generator polynomial of degree `length` without its first term."""
    generator = [0] * (length - 1) + [1]
    root = 1
    for _ in range(length):
        shifted = [*generator[1:], 0]
        generator = [_multiply(a, root) ^ b for a, b in zip(generator, shifted, strict=True)]
        root = _multiply(root, 2)
    return tuple(int.from_bytes(bytes(_multiply(value, a) for a in generator), "big") for value in range(256))


def _multiply(a: int, b: int) -> int:
    """Return the product in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1 (ISO/IEC 18004:2015, 7.5.2)."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a = a << 1 ^ (a >> 7) * _FIELD_POLYNOMIAL
        b >>= 1
    return product
