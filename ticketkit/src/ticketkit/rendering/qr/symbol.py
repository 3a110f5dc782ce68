"""Encode text as QR symbols."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import chain, compress, pairwise, zip_longest
from operator import getitem, itemgetter, xor
from typing import Final, TypeVar

from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.qr.geometry import MAX_VERSION, Geometry, data_codewords, geometry_of
from ticketkit.rendering.qr.penalty import lowest_penalty

_ALPHANUMERIC: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_ALPHANUMERIC_VALUES: Final = bytes.maketrans(_ALPHANUMERIC, bytes(range(45)))
_CAPACITIES: Final = tuple(data_codewords(version) for version in range(1, MAX_VERSION + 1))
_PADDING: Final = b"\xec\x11" * (_CAPACITIES[-1] // 2 + 1)
_FIELD_POLYNOMIAL: Final = 0x11D
# The version of signed ticket codes: encoded with a precomputed table, for speed.
_TABULATED_VERSION: Final = 6
_DIGIT_VALUES: Final = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))

_Codewords = TypeVar("_Codewords", bytes, range)


@dataclass(frozen=True, slots=True)
class QrSymbol:
    """A QR symbol of `size` by `size` modules, without a quiet zone.

    `packed` has the rows from the top, each padded with light modules to whole bytes; the leftmost module is the
    highest bit, dark is 1.
    """

    size: int
    packed: bytes

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows from the top as numbers of `size` bits; the leftmost module is the highest bit, dark is 1."""
        width = len(self.packed) // self.size
        padding = 8 * width - self.size
        starts = range(0, len(self.packed), width)
        return tuple([int.from_bytes(self.packed[start : start + width], "big") >> padding for start in starts])


def qr_matrix(text: str, mask: int | None = None) -> QrSymbol:
    """Return `text` as a symbol of the smallest version that holds it, at error correction level M.

    `mask` is 0 to 7, or None for the one with the lowest penalty. Raises RenderingError if the text is too long or not
    well-formed.
    """
    version, data = encode_text(text)
    geometry = geometry_of(version)
    if version == _TABULATED_VERSION:
        # Reed-Solomon coding, interleaving and placement are linear over GF(2): XOR the symbols of all half bytes.
        nibbles = data.hex().encode().translate(_DIGIT_VALUES)
        codewords = reduce(xor, map(getitem, _table(), nibbles))
    else:
        codewords = _place(_add_error_correction(data, geometry), geometry)
    symbol = lowest_penalty(codewords, geometry) if mask is None else codewords ^ geometry.backgrounds[mask]
    return QrSymbol(geometry.size, symbol.to_bytes(geometry.size * geometry.stride // 8, "big"))


def encode_text(text: str) -> tuple[int, bytes]:
    """Return the lowest version that holds `text` at level M, and its data codewords.

    The mode is alphanumeric if possible, else byte with UTF-8, which scanners detect. Raises RenderingError if the text
    is too long or not well-formed.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise RenderingError("a code with half a surrogate pair cannot be drawn: pass well-formed text") from None
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
    """Return a text in alphanumeric mode as a number, and its number of bits: 11 a pair, 6 for a single last character.

    All pairs are computed at once in one big number: first 16 bits apart, then moved together in steps.
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
    """Return, for each step, the mask of the right values of all pairs, and the gap to the left values."""
    steps = []
    apart, width = 16, 11
    while apart < 16 * pairs:
        one = (1 << width) - 1
        steps.append((sum(one << place for place in range(0, 16 * pairs, 2 * apart)), apart - width))
        apart, width = 2 * apart, 2 * width
    return tuple(steps)


def _add_error_correction(data: bytes, geometry: Geometry) -> bytes:
    """Return the codeword stream: data blocks and their Reed-Solomon codewords, interleaved."""
    blocks = _split(data, geometry.blocks)
    return bytes(_interleave(blocks, [_remainder(block, geometry.ec_codewords_per_block) for block in blocks]))


def _interleave(blocks: Iterable[Iterable[int]], corrections: Iterable[Iterable[int]]) -> list[int]:
    """Interleave codewords as in ISO/IEC 18004:2015, 7.6: the first of each block, the second of each, and so on."""
    columns = chain(zip_longest(*blocks), zip_longest(*corrections))
    return [codeword for column in columns for codeword in column if codeword is not None]


def _split(data: _Codewords, count: int) -> list[_Codewords]:
    """Split `data` into `count` blocks, the longer ones last."""
    size, longer = divmod(len(data), count)
    ends = [size * i + max(0, i - count + longer) for i in range(count + 1)]
    return [data[start:end] for start, end in pairwise(ends)]


def _remainder(block: bytes, length: int) -> bytes:
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
    """Return v * g for each field element v; g is the generator polynomial of `length` without its first term."""
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


def _place(codewords: bytes, geometry: Geometry) -> int:
    """Return a symbol of the codeword stream alone."""
    bits = f"{int.from_bytes(codewords, 'big'):0{8 * len(codewords)}b}0"
    return int("".join(_placement(geometry.version)(bits)), 2)


@lru_cache(maxsize=8)
def _placement(version: int) -> Callable[[str], tuple[str, ...]]:
    """Return a getter of each module's bit in the codeword stream; modules without one get the bit after its end."""
    geometry = geometry_of(version)
    source = [len(geometry.order)] * (geometry.size * geometry.stride)
    for bit, module in enumerate(geometry.order):
        source[module] = bit
    return itemgetter(*source)


@lru_cache
def _table() -> list[tuple[int, ...]]:
    """Return, for each half codeword of data, the symbols of its 16 values."""
    geometry = geometry_of(_TABULATED_VERSION)
    data_modules, correction_modules = _modules_by_block(geometry)
    block_length = geometry.data_codewords // geometry.blocks
    corrections = [
        [
            _bits(_remainder(bytes([0x80 >> bit]).ljust(length, b"\0"), geometry.ec_codewords_per_block))
            for bit in range(8)
        ]
        for length in range(block_length, 0, -1)
    ]
    table = []
    for position, modules in enumerate(data_modules):
        block, place = divmod(position, block_length)
        own = correction_modules[block]
        units = [
            module + sum(compress(own, correction))
            for module, correction in zip(modules, corrections[place], strict=True)
        ]
        table += [_sums(units[:4]), _sums(units[4:])]
    return table


def _modules_by_block(geometry: Geometry) -> tuple[list[list[int]], list[list[int]]]:
    """Return the modules, each as a symbol, of each data codeword and of each block's error correction."""
    total = geometry.data_codewords + geometry.blocks * geometry.ec_codewords_per_block
    blocks = _split(range(geometry.data_codewords), geometry.blocks)
    corrections = _split(range(geometry.data_codewords, total), geometry.blocks)
    last = geometry.size * geometry.stride - 1
    modules: list[list[int]] = [[]] * total
    for place, codeword in enumerate(_interleave(blocks, corrections)):
        modules[codeword] = [1 << last - module for module in geometry.order[8 * place : 8 * place + 8]]
    return modules[: blocks[-1].stop], [[one for i in block for one in modules[i]] for block in corrections]


def _bits(data: bytes) -> bytes:
    return f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}".encode().translate(_DIGIT_VALUES)


def _sums(units: list[int]) -> tuple[int, ...]:
    """Return the symbols of all 16 values of four bits, given those of single bits, the highest first."""
    sums = [0]
    for unit in reversed(units):
        sums += [unit ^ other for other in sums]
    return tuple(sums)
