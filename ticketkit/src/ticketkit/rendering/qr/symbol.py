"""QR symbols: text in, modules out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import compress
from operator import getitem, itemgetter, xor
from typing import Final

from ticketkit.rendering.qr.codewords import add_error_correction, encode_text, interleave, remainder, split
from ticketkit.rendering.qr.geometry import Geometry, geometry_of
from ticketkit.rendering.qr.penalty import lowest_penalty

# What a signed ticket code needs; every other version is drawn without a table.
_TABULATED_VERSION: Final = 6
_DIGIT_VALUES: Final = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))


@dataclass(frozen=True, slots=True)
class QrSymbol:
    """A QR symbol of `size` by `size` modules, without its quiet zone.

    `packed` has the rows from the top, each padded with light modules to the same whole number of bytes; the
    leftmost module is the highest bit, dark is 1.
    """

    size: int
    packed: bytes

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows from the top, each of `size` bits, the leftmost module the highest; dark is 1."""
        width = len(self.packed) // self.size
        padding = 8 * width - self.size
        starts = range(0, len(self.packed), width)
        return tuple([int.from_bytes(self.packed[start : start + width], "big") >> padding for start in starts])


def qr_matrix(text: str, mask: int | None = None) -> QrSymbol:
    """Return the symbol for `text` at error correction level M, in the smallest version that holds it.

    `mask` is 0 to 7, or None for the one with the lowest penalty. Raises RenderingError if no version holds the text.
    """
    version, data = encode_text(text)
    geometry = geometry_of(version)
    if version == _TABULATED_VERSION:
        codewords = _tabulated(data)
    else:
        codewords = _place(add_error_correction(data, geometry), geometry)
    symbol = lowest_penalty(codewords, geometry) if mask is None else codewords ^ geometry.backgrounds[mask]
    return QrSymbol(geometry.size, symbol.to_bytes(geometry.size * geometry.stride // 8, "big"))


def _place(codewords: bytes, geometry: Geometry) -> int:
    """Return a symbol of nothing but the codeword stream."""
    bits = f"{int.from_bytes(codewords, 'big'):0{8 * len(codewords)}b}0"
    return int("".join(_placement(geometry.version)(bits)), 2)


@lru_cache(maxsize=8)
def _placement(version: int) -> Callable[[str], tuple[str, ...]]:
    """Return what picks a bit of the codeword stream for every module; the bit after its end where there is none."""
    geometry = geometry_of(version)
    source = [len(geometry.order)] * (geometry.size * geometry.stride)
    for bit, module in enumerate(geometry.order):
        source[module] = bit
    return itemgetter(*source)


def _tabulated(data: bytes) -> int:
    """Return what _place() returns for these data codewords and their error correction, by adding up table entries.

    Reed-Solomon codes, interleaving and placement are linear over GF(2): the symbol of a sum is the sum of symbols.
    """
    nibbles = data.hex().encode().translate(_DIGIT_VALUES)
    return reduce(xor, map(getitem, _table(), nibbles))


@lru_cache
def _table() -> list[tuple[int, ...]]:
    """Return, for every half codeword of data, the symbols that its 16 values contribute."""
    geometry = geometry_of(_TABULATED_VERSION)
    data_modules, correction_modules = _modules_by_block(geometry)
    block_length = geometry.data_codewords // geometry.blocks
    corrections = [
        [
            _bits(remainder(bytes([0x80 >> bit]).ljust(length, b"\0"), geometry.ec_codewords_per_block))
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
    """Return the modules, each as a symbol, of every data codeword, and of every block's error correction."""
    total = geometry.data_codewords + geometry.blocks * geometry.ec_codewords_per_block
    blocks = split(range(geometry.data_codewords), geometry.blocks)
    corrections = split(range(geometry.data_codewords, total), geometry.blocks)
    last = geometry.size * geometry.stride - 1
    modules: list[list[int]] = [[]] * total
    for place, codeword in enumerate(interleave(blocks, corrections)):
        modules[codeword] = [1 << last - module for module in geometry.order[8 * place : 8 * place + 8]]
    return modules[: blocks[-1].stop], [[one for i in block for one in modules[i]] for block in corrections]


def _bits(data: bytes) -> bytes:
    return f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}".encode().translate(_DIGIT_VALUES)


def _sums(units: list[int]) -> tuple[int, ...]:
    """Return the symbols of all 16 values of four bits, given those of the single bits, the highest first."""
    sums = [0]
    for unit in reversed(units):
        sums += [unit ^ other for other in sums]
    return tuple(sums)
