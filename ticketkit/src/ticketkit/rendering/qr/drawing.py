"""Draw QR symbols: as 1-bit PNGs of exactly 300 by 300 pixels, which need no resizing, and on the pages of PDFs.

On a page, a symbol is filled rectangles in one path: crisp at every resolution, without seams between modules.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import Final

from isal import isal_zlib

from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.pdf.objects import numbers
from ticketkit.rendering.qr.geometry import MAX_VERSION, QUIET_MODULES
from ticketkit.rendering.qr.symbol import QrSymbol, qr_matrix

PIXELS: Final = 300
# Whole modules of 4 px are read after every damage but a moving hand. Below that reading collapses: of pictures with
# 3.9 px a module, fewer than half were read.
MIN_MODULE_PIXELS: Final = 4

_ROW_BYTES: Final = (PIXELS + 7) // 8
_WHITE_ROW: Final = b"\x00" + b"\xff" * _ROW_BYTES
# PNG's filter 2, "what is above": deflate makes next to nothing of it.
_SAME_ROW: Final = b"\x02" + b"\x00" * _ROW_BYTES
_GREYSCALE: Final = 0
# Twice as fast as the next level, and the picture still has less than 1 KB.
_DEFLATE_LEVEL: Final = 0

_ROW_NUMBER: Final = b"y"  # stands for the number in the operators of a row
_ROW_NUMBERS: Final = tuple(b"%d" % y for y in range(17 + 4 * MAX_VERSION))


def render_qr_png(code: str) -> bytes:
    """Return the PNG of the QR code that holds `code`: black on white, whole pixels a module, a quiet zone of 4.

    Raises RenderingError for a code that would need modules too small to be read.
    """
    return symbol_png(qr_matrix(code))


def symbol_png(symbol: QrSymbol) -> bytes:
    """Return the PNG of a symbol. Raises RenderingError if its modules would be too small to be read."""
    scale = PIXELS // (symbol.size + 2 * QUIET_MODULES)
    if scale < MIN_MODULE_PIXELS:
        raise RenderingError(
            f"a code this long needs a QR of {symbol.size} modules a side, {scale} px each in {PIXELS} px: "
            f"too small to be read. Shorten it: {MIN_MODULE_PIXELS} px is the least"
        )
    idat = _chunk(b"IDAT", isal_zlib.compress(_filtered_rows(symbol, scale), _DEFLATE_LEVEL))
    return b"".join((_BEGINNING, idat, _END))


def _filtered_rows(symbol: QrSymbol, scale: int) -> bytes:
    """Return all rows of pixels, each behind the number of its filter.

    Eight modules are `scale` bytes of pixels. All first bytes come out of one translation, all second ones, and so on:
    there is no work per module or byte in Python.
    """
    frame = _frame(symbol.size, len(symbol.packed) // symbol.size, scale)
    behind = (int.from_bytes(symbol.packed, "big") >> frame.carried).to_bytes(len(symbol.packed), "big")
    pixels = bytearray(scale * len(symbol.packed))
    for place, (carries, table) in enumerate(frame.tables):
        pixels[place::scale] = (behind if carries else symbol.packed).translate(table)
    return b"".join((frame.above, frame.between.join(frame.rows(pixels)), frame.below))


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is around a symbol's pixels, and how they are made.

    `tables` has, for each byte of the pixels of eight modules, its values by that byte of modules, or if the flag is
    set, by the one that begins `carried` modules earlier: pixels begin inside a byte. `rows` cuts them into rows.
    """

    above: bytes
    between: bytes
    below: bytes
    carried: int
    tables: tuple[tuple[bool, bytes], ...]
    rows: Callable[[bytearray], tuple[bytes, ...]]


@lru_cache
def _frame(size: int, width: int, scale: int) -> _Frame:
    margin = (PIXELS - scale * size) // 2
    margin_bytes, shift = divmod(margin, 8)
    carried = -(-shift // scale)
    room = _ROW_BYTES - margin_bytes
    used = min(room, scale * width)
    left, right = b"\x00" + b"\xff" * margin_bytes, b"\xff" * (room - used) + _SAME_ROW * (scale - 1)
    tables = []
    for place in range(scale):
        modules = [(8 * place + pixel - shift) // scale for pixel in range(8)]
        carries = modules[0] < 0
        bits = [1 << 7 - module - carried * carries for module in modules]
        values = bytes(sum(128 >> i for i, bit in enumerate(bits) if not value & bit) for value in range(256))
        tables.append((carries, values))
    return _Frame(
        above=_WHITE_ROW + _SAME_ROW * (margin - 1) + left,
        between=right + left,
        below=right + _WHITE_ROW + _SAME_ROW * (PIXELS - scale * size - margin - 1),
        carried=carried,
        tables=tuple(tables),
        rows=struct.Struct(f"{used}s{scale * width - used}x" * size).unpack,
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_BEGINNING: Final = b"\x89PNG\r\n\x1a\n" + _chunk(
    b"IHDR", struct.pack(">IIBBBBB", PIXELS, PIXELS, 1, _GREYSCALE, 0, 0, 0)
)
_END: Final = _chunk(b"IEND", b"")


def draw_qr(symbol: QrSymbol, frame: tuple[float, float, float]) -> bytes:
    """Operators filling the dark modules of a symbol inside ``frame`` (left, bottom, edge in points)."""
    tables = _rectangles(len(symbol.packed) // symbol.size)
    # An itemgetter looks all bytes of a column up in one call.
    columns = [itemgetter(*symbol.packed[n :: len(tables)])(table) for n, table in enumerate(tables)]
    rows = map(b"".join, zip(*columns, strict=True))
    numbered = map(bytes.replace, rows, repeat(_ROW_NUMBER), _ROW_NUMBERS)
    return b"q 0 g %s%sf Q" % (_placement(symbol.size, frame), b"".join(numbered))


@lru_cache(maxsize=64)
def _placement(size: int, frame: tuple[float, float, float]) -> bytes:
    """The operator that makes one module the unit, counted from the symbol's top left corner."""
    left, bottom, edge = frame
    module = edge / (size + 2 * QUIET_MODULES)
    x, top = left + QUIET_MODULES * module, bottom + edge - QUIET_MODULES * module
    return b"%.4f 0 0 %.4f %s cm\n" % (module, -module, numbers(x, top))


@lru_cache(maxsize=40)
def _rectangles(row_bytes: int) -> tuple[tuple[bytes, ...], ...]:
    """For each byte of a packed row the rectangles of its 256 values, with ``_ROW_NUMBER`` for the number."""
    return tuple(tuple(_runs(8 * column, value) for value in range(256)) for column in range(row_bytes))


def _runs(x: int, value: int) -> bytes:
    """A rectangle for each run of dark modules in a byte that begins at module ``x``."""
    parts = []
    bits = f"{value:08b}0"
    start = bits.find("1")
    while start >= 0:
        end = bits.find("0", start)
        parts.append(b"%d %s %d 1 re\n" % (x + start, _ROW_NUMBER, end - start))
        start = bits.find("1", end)
    return b"".join(parts)
