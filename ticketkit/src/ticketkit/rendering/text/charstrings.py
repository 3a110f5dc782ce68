"""Draw glyphs as Type 2 charstrings (Adobe Technical Note 5177) at a font's weight, and cache them.

Subsetting a variable font for every ticket would instantiate the same glyphs repeatedly.
"""

from functools import lru_cache
from typing import Final

import uharfbuzz as hb

from ticketkit.rendering.text.fonts import FontInstance
from ticketkit.rendering.text.shaping import GlyphKey

_RLINETO, _HLINETO, _VLINETO, _RRCURVETO, _ENDCHAR, _RMOVETO = 5, 6, 7, 8, 14, 21
_MAX_OPERANDS: Final = 48
_CACHE_SIZE: Final = 8192

Operation = tuple[int, list[int]]  # an operator and its operands


def charstring(font: FontInstance, key: GlyphKey, width: int) -> bytes:
    """Return the charstring of a glyph, or of several merged into one. Lengths are in 1/1000 em; nominal width is 0."""
    return encode_integer(width) + _outline(font, key)


def encode_integer(value: int) -> bytes:
    """Return a charstring operand from -32768 to 32767."""
    if -107 <= value <= 107:
        return bytes((value + 139,))
    if 108 <= value <= 1131:
        return (value - 108 + (247 << 8)).to_bytes(2, "big")
    if -1131 <= value <= -108:
        return (-value - 108 + (251 << 8)).to_bytes(2, "big")
    return b"\x1c" + value.to_bytes(2, "big", signed=True)


@lru_cache(maxsize=_CACHE_SIZE)
def _outline(font: FontInstance, key: GlyphKey) -> bytes:
    pen = _Pen()
    for glyph, x, y in [(key, 0, 0)] if isinstance(key, int) else key:
        pen.offset = (x, y)
        font.hb_font.draw_glyph(glyph, _DRAWING, pen)
    parts = [b"".join(map(encode_integer, operands)) + bytes((operator,)) for operator, operands in pen.operations]
    return b"".join(parts) + bytes((_ENDCHAR,))


class _Pen:
    """Records a glyph's path as operations with integer operands, without accumulating rounding errors."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.offset = (0, 0)
        self._at = (0, 0)  # rounded, with the offset
        self._exactly = (0.0, 0.0)  # as drawn, without it

    def move(self, x: float, y: float) -> None:
        self.operations.append((_RMOVETO, self._steps(x, y)))

    def line(self, x: float, y: float) -> None:
        dx, dy = self._steps(x, y)
        operator = _RLINETO if dx and dy else _HLINETO if dx else _VLINETO
        last, operands = self.operations[-1]
        if operator == _RLINETO:
            self._append(operator, [dx, dy])
        elif last in (_HLINETO, _VLINETO) and len(operands) < _MAX_OPERANDS:
            # Operands alternate between horizontal and vertical: after an odd number, the other direction is next.
            expected = last if len(operands) % 2 == 0 else _HLINETO + _VLINETO - last
            if operator == expected:
                operands.append(dx or dy)
            else:
                self.operations.append((operator, [dx or dy]))
        else:
            self.operations.append((operator, [dx or dy]))

    def quadratic(self, x1: float, y1: float, x: float, y: float) -> None:
        """Add a quadratic curve as a cubic one, whose control points are two thirds of the way to the quadratic's."""
        x0, y0 = self._exactly
        self.cubic(x0 + (x1 - x0) * 2 / 3, y0 + (y1 - y0) * 2 / 3, x + (x1 - x) * 2 / 3, y + (y1 - y) * 2 / 3, x, y)

    def cubic(self, x1: float, y1: float, x2: float, y2: float, x: float, y: float) -> None:
        self._append(_RRCURVETO, [*self._steps(x1, y1), *self._steps(x2, y2), *self._steps(x, y)])

    def _append(self, operator: int, operands: list[int]) -> None:
        last, before = self.operations[-1]
        if last == operator and len(before) + len(operands) <= _MAX_OPERANDS:
            before += operands
        else:
            self.operations.append((operator, operands))

    def _steps(self, x: float, y: float) -> list[int]:
        at = round(x) + self.offset[0], round(y) + self.offset[1]
        steps = [at[0] - self._at[0], at[1] - self._at[1]]
        self._at, self._exactly = at, (x, y)
        return steps


def _drawing() -> hb.DrawFuncs:
    functions = hb.DrawFuncs()
    functions.set_move_to_func(lambda x, y, pen: pen.move(x, y))
    functions.set_line_to_func(lambda x, y, pen: pen.line(x, y))
    functions.set_quadratic_to_func(lambda x1, y1, x, y, pen: pen.quadratic(x1, y1, x, y))
    functions.set_cubic_to_func(lambda x1, y1, x2, y2, x, y, pen: pen.cubic(x1, y1, x2, y2, x, y))
    return functions


_DRAWING: Final = _drawing()
