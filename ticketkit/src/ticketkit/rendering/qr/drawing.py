"""Draw QR symbols, as 1-bit PNGs of 300 by 300 pixels and as paths in PDFs.

In a PDF a symbol is one path of filled rectangles: sharp at every resolution, without seams between modules.
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
# Modules of 4 px scan after every kind of damage in the tests except motion blur. At 3.9 px fewer than half of the
# pictures scanned.
MIN_MODULE_PIXELS: Final = 4

_ROW_BYTES: Final = (PIXELS + 7) // 8
_WHITE_ROW: Final = b"\x00" + b"\xff" * _ROW_BYTES
# PNG filter 2 (Up): a row that repeats the one above compresses to almost nothing.
_SAME_ROW: Final = b"\x02" + b"\x00" * _ROW_BYTES
_GREYSCALE: Final = 0
# Twice as fast as the next level, and the PNG is still smaller than 1 KB.
_DEFLATE_LEVEL: Final = 0

_ROW_NUMBER: Final = b"y"  # placeholder for the row's number
_ROW_NUMBERS: Final = tuple(b"%d" % y for y in range(17 + 4 * MAX_VERSION))


def render_qr_png(code: str) -> bytes:
    """Return a QR code with the text `code` as a PNG of 300 by 300 pixels, with a quiet zone of 4 modules or more.

    Raises RenderingError if the text is so long that modules would be too small to scan.
    """
    return symbol_png(qr_matrix(code))


def symbol_png(symbol: QrSymbol) -> bytes:
    """Return a symbol as a PNG of 300 by 300 pixels. Raises RenderingError if modules would be too small to scan."""
    scale = PIXELS // (symbol.size + 2 * QUIET_MODULES)
    if scale < MIN_MODULE_PIXELS:
        raise RenderingError(
            f"a code this long needs a QR of {symbol.size} modules a side, {scale} px each in {PIXELS} px: "
            f"too small to scan. Shorten it until modules have {MIN_MODULE_PIXELS} px"
        )
    idat = _chunk(b"IDAT", isal_zlib.compress(_filtered_rows(symbol, scale), _DEFLATE_LEVEL))
    return b"".join((_BEGINNING, idat, _END))


def _filtered_rows(symbol: QrSymbol, scale: int) -> bytes:
    """Return all rows of pixels, each preceded by its filter type.

    Eight modules are `scale` bytes of pixels. One `bytes.translate` produces all first bytes, the next all second
    bytes, and so on, without a Python loop over modules or bytes.
    """
    frame = _frame(symbol.size, len(symbol.packed) // symbol.size, scale)
    behind = (int.from_bytes(symbol.packed, "big") >> frame.carried).to_bytes(len(symbol.packed), "big")
    pixels = bytearray(scale * len(symbol.packed))
    for place, (carries, table) in enumerate(frame.tables):
        pixels[place::scale] = (behind if carries else symbol.packed).translate(table)
    return b"".join((frame.above, frame.between.join(frame.rows(pixels)), frame.below))


@dataclass(frozen=True, slots=True)
class _Frame:
    """The bytes around a symbol's pixels, and the tables that produce the pixels.

    `tables` has an entry for each byte of the pixels of eight modules: its values by the byte of modules, or, if the
    flag is set, by the byte that begins `carried` modules earlier, because the margin may end inside a byte. `rows`
    splits the pixels into rows.
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
    """Return the operators that fill a symbol's dark modules inside ``frame`` (left, bottom, width in points)."""
    tables = _rectangles(len(symbol.packed) // symbol.size)
    # One itemgetter call looks up all bytes of a column.
    columns = [itemgetter(*symbol.packed[n :: len(tables)])(table) for n, table in enumerate(tables)]
    rows = map(b"".join, zip(*columns, strict=True))
    numbered = map(bytes.replace, rows, repeat(_ROW_NUMBER), _ROW_NUMBERS)
    return b"q 0 g %s%sf Q" % (_placement(symbol.size, frame), b"".join(numbered))


@lru_cache(maxsize=64)
def _placement(size: int, frame: tuple[float, float, float]) -> bytes:
    """Return the operator that sets the unit to one module, and the origin to the symbol's top left corner."""
    left, bottom, edge = frame
    module = edge / (size + 2 * QUIET_MODULES)
    x, top = left + QUIET_MODULES * module, bottom + edge - QUIET_MODULES * module
    return b"%.4f 0 0 %.4f %s cm\n" % (module, -module, numbers(x, top))


@lru_cache(maxsize=40)
def _rectangles(row_bytes: int) -> tuple[tuple[bytes, ...], ...]:
    """Return, for each byte of a packed row, the rectangles of its 256 values, with ``_ROW_NUMBER`` as the row."""
    return tuple(tuple(_runs(8 * column, value) for value in range(256)) for column in range(row_bytes))


def _runs(x: int, value: int) -> bytes:
    """Return a rectangle for each run of dark modules in a byte that begins at module ``x``."""
    parts = []
    bits = f"{value:08b}0"
    start = bits.find("1")
    while start >= 0:
        end = bits.find("0", start)
        parts.append(b"%d %s %d 1 re\n" % (x + start, _ROW_NUMBER, end - start))
        start = bits.find("1", end)
    return b"".join(parts)
