"""Draws a QR symbol as filled rectangles in one path: crisp at every resolution, without seams between modules."""

from functools import lru_cache
from itertools import repeat
from operator import itemgetter

from ticketkit.rendering.pdf.objects import numbers
from ticketkit.rendering.qr import QrSymbol
from ticketkit.rendering.qr.geometry import MAX_VERSION, QUIET_MODULES

_ROW = b"y"
_NUMBERS = tuple(b"%d" % y for y in range(17 + 4 * MAX_VERSION))


def draw_qr(symbol: QrSymbol, frame: tuple[float, float, float]) -> bytes:
    """Operators filling the dark modules of a symbol inside ``frame`` (left, bottom, edge in points)."""
    tables = _rectangles(len(symbol.packed) // symbol.size)
    # An itemgetter looks all bytes of a column up in one call.
    columns = [itemgetter(*symbol.packed[n :: len(tables)])(table) for n, table in enumerate(tables)]
    rows = map(b"".join, zip(*columns, strict=True))
    numbered = map(bytes.replace, rows, repeat(_ROW), _NUMBERS)
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
    """For each byte of a packed row the rectangles of its 256 values, with ``_ROW`` in place of the row's number."""
    return tuple(tuple(_runs(8 * column, value) for value in range(256)) for column in range(row_bytes))


def _runs(x: int, value: int) -> bytes:
    """A rectangle for each run of dark modules in a byte that begins at module ``x``."""
    parts = []
    bits = f"{value:08b}0"
    start = bits.find("1")
    while start >= 0:
        end = bits.find("0", start)
        parts.append(b"%d %s %d 1 re\n" % (x + start, _ROW, end - start))
        start = bits.find("1", end)
    return b"".join(parts)
