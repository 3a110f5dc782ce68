"""Compute the positions of codewords and patterns in QR symbols of level M (ISO/IEC 18004:2015).

A symbol is one big integer, so that masking and scoring are a few operations on it. Rows are `stride` bits apart, the
top row first, the leftmost module the highest bit; dark is 1. A row is a whole number of bytes and ends in at least
four zeros, which serve as the light quiet zone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_VERSION: Final = 40
QUIET_MODULES: Final = 4

# Level M of ISO/IEC 18004:2015, table 9, for versions 1 to 40.
_EC_CODEWORDS_PER_BLOCK: Final = (
    *(10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26),
    *(26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28),
)
_BLOCKS: Final = (
    *(1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16),
    *(17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49),
)

Modules = dict[tuple[int, int], bool]  # {(row, column): dark}

# ISO/IEC 18004:2015, table 10; i is the row, j the column. All repeat every 12 modules in both directions.
_MASK_PERIOD: Final = 12
_MASKS: Final[tuple[Callable[[int, int], bool], ...]] = (
    lambda i, j: (i + j) % 2 == 0,
    lambda i, j: i % 2 == 0,
    lambda i, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2 == 0,
)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The geometry of a version.

    `order` has the number of the module for each bit of the codeword stream, counted along the strides from the top
    left. `backgrounds` has the symbol without codewords for each mask: function patterns, format and version
    information, and the mask over the encoding region.
    """

    version: int
    size: int
    stride: int
    blocks: int
    ec_codewords_per_block: int
    data_codewords: int
    order: tuple[int, ...]
    backgrounds: tuple[int, ...]


def data_codewords(version: int) -> int:
    """Return the number of 8-bit data codewords of a version, without error correction."""
    return _encoding_modules(version) // 8 - _BLOCKS[version - 1] * _EC_CODEWORDS_PER_BLOCK[version - 1]


@lru_cache(maxsize=MAX_VERSION)
def geometry_of(version: int) -> Geometry:
    """Return the geometry of a version, 1 to 40."""
    size = 17 + 4 * version
    stride = (size + QUIET_MODULES + 7) // 8 * 8
    patterns = _function_patterns(version, size)
    order = [row * stride + column for row, column in _zigzag(size) if (row, column) not in patterns]
    region = sum(1 << (size * stride - 1 - module) for module in order)
    fixed = _to_int(patterns, size, stride)
    return Geometry(
        version=version,
        size=size,
        stride=stride,
        blocks=_BLOCKS[version - 1],
        ec_codewords_per_block=_EC_CODEWORDS_PER_BLOCK[version - 1],
        data_codewords=data_codewords(version),
        order=tuple(order[: len(order) // 8 * 8]),
        backgrounds=tuple(
            fixed | _to_int(_format_information(mask, size), size, stride) | _mask(mask, size, stride) & region
            for mask in range(len(_MASKS))
        ),
    )


def _encoding_modules(version: int) -> int:
    """Return the number of modules for codewords and remainder bits."""
    modules = (16 * version + 128) * version + 64
    if version >= 2:
        alignments = version // 7 + 2
        modules -= (25 * alignments - 10) * alignments - 55
    return modules - 36 if version >= 7 else modules


def _to_int(modules: Modules, size: int, stride: int) -> int:
    """Return `modules` as a symbol."""
    last = size * stride - 1
    return sum(1 << (last - row * stride - column) for (row, column), dark in modules.items() if dark)


def _mask(mask: int, size: int, stride: int) -> int:
    dark = _MASKS[mask]
    rows = [
        int("".join("01"[dark(row, column % _MASK_PERIOD)] for column in range(stride)), 2)
        for row in range(_MASK_PERIOD)
    ]
    symbol = 0
    for row in range(size):
        symbol = symbol << stride | rows[row % _MASK_PERIOD]
    return symbol


def _zigzag(size: int) -> Iterator[tuple[int, int]]:
    """Yield (row, column) in the order of ISO/IEC 18004:2015, 7.7.3: pairs of columns from the right, up and down."""
    upward = True
    for column in range(size - 1, 0, -2):
        right = column - (column <= 6)  # skips the vertical timing pattern
        for row in range(size - 1, -1, -1) if upward else range(size):
            yield row, right
            yield row, right - 1
        upward = not upward


def _function_patterns(version: int, size: int) -> Modules:
    """Return all modules that hold no codeword, with those of the format information light."""
    modules = dict.fromkeys(_format_information(0, size), False)
    for i in range(size):
        modules[6, i] = modules[i, 6] = i % 2 == 0
    centres = _alignment_centres(version, size)
    for row in centres:
        for column in centres:
            if (row, column) not in {(6, 6), (6, size - 7), (size - 7, 6)}:
                _draw_rings(modules, row, column, 2, size)
    for row, column in (3, 3), (3, size - 4), (size - 4, 3):
        _draw_rings(modules, row, column, 4, size)
    return modules | _version_information(version, size)


def _draw_rings(modules: Modules, row: int, column: int, radius: int, size: int) -> None:
    """Draw an alignment pattern (radius 2) or a finder pattern with its separator (radius 4) around a centre."""
    for y in range(max(0, row - radius), min(size, row + radius + 1)):
        for x in range(max(0, column - radius), min(size, column + radius + 1)):
            ring = max(abs(y - row), abs(x - column))
            modules[y, x] = ring not in (1 if radius == 2 else 2, 4)


def _alignment_centres(version: int, size: int) -> list[int]:
    if version == 1:
        return []
    count = version // 7 + 2
    step = (version * 8 + count * 3 + 5) // (count * 4 - 4) * 2
    return [6] + [size - 7 - step * i for i in range(count - 2, -1, -1)]


def _format_information(mask: int, size: int) -> Modules:
    """Return both copies of the format information (ISO/IEC 18004:2015, 7.9), and the module that is always dark."""
    value = mask  # preceded by 0b00 for level M
    remainder = value
    for _ in range(10):
        remainder = remainder << 1 ^ (remainder >> 9) * 0x537
    bits = (value << 10 | remainder) ^ 0x5412
    near = [(i, 8) for i in (0, 1, 2, 3, 4, 5, 7, 8)] + [(8, i) for i in (7, 5, 4, 3, 2, 1, 0)]
    far = [(8, size - 1 - i) for i in range(8)] + [(size - 15 + i, 8) for i in range(8, 15)]
    modules = {copy[i]: bool(bits >> i & 1) for copy in (near, far) for i in range(15)}
    return modules | {(size - 8, 8): True}


def _version_information(version: int, size: int) -> Modules:
    """Return both copies of the version information (ISO/IEC 18004:2015, 7.10); none below version 7."""
    if version < 7:
        return {}
    remainder = version
    for _ in range(12):
        remainder = remainder << 1 ^ (remainder >> 11) * 0x1F25
    bits = version << 12 | remainder
    modules = {}
    for i in range(18):
        far, near = size - 11 + i % 3, i // 3
        modules[far, near] = modules[near, far] = bool(bits >> i & 1)
    return modules
