"""Draw shaped lines as content stream operators."""

import re
from collections.abc import Callable
from typing import Final, Protocol

from ticketkit.rendering.pdf.fonts import EmbeddedFont, GlyphUse
from ticketkit.rendering.pdf.objects import numbers
from ticketkit.rendering.text.shaping import GlyphRun, ShapedLine

FindFont = Callable[[GlyphRun], EmbeddedFont]

_END: Final = "\0"  # the neighbour of a text's last character
# Characters whose advance depends on the next one alone: Latin without combining marks and the middle dot of Catalan.
_KERNABLE: Final = re.compile("[\0 -~\u00a1-\u00ac\u00ae-\u00b6\u00b8-\u024f\u1e00-\u1eff\u2010-\u2027\u20ac]")


def draw_line(line: ShapedLine, x: float, y: float, size: float, find_font: FindFont) -> bytes:
    """Return the operators that draw ``line`` with its left end at ``x`` on the baseline ``y``, in points."""
    parts = [b"BT %s Td" % numbers(x, y)]
    for run in line.runs:
        font = find_font(run)
        parts.append(b"/%s %s Tf" % (font.name, numbers(size)))
        parts.append(_show(run, font, size).encode("ascii"))
    parts.append(b"ET")
    return b" ".join(parts)


class UnshapedText(Protocol):
    """Sets text without shaping. Both methods raise KeyError for text that needs shaping."""

    def width(self, text: str) -> int:
        """Return the width in thousandths of the font size."""
        ...

    def draw(self, text: str, x: float, y: float, size: float) -> bytes:
        """Return the same operators as `draw_line` does for the shaped text."""
        ...


class PlainText:
    """Sets ASCII text without kerning, for ids and references."""

    def __init__(self, font: EmbeddedFont) -> None:
        self._name = font.name
        self._codes: dict[str, str] = {}
        self._advances: dict[str, int] = {}
        nominal = font.font.plain_glyphs
        for (key, text), code in font.codes.items():
            if len(text) == 1 and text.isascii() and key == nominal[text]:
                self._codes[text] = code
                self._advances[text] = font.advances[key, text]

    def width(self, text: str) -> int:
        """Return the width in thousandths of the font size. Raises KeyError for text that needs shaping."""
        return sum(map(self._advances.__getitem__, text))

    def draw(self, text: str, x: float, y: float, size: float) -> bytes:
        """Return the operators that draw the text. Raises KeyError for text that needs shaping."""
        return _line(self._name, "".join(map(self._codes.__getitem__, text)), x, y, size)


class KernedText:
    """Sets Latin text from pairs of neighbouring characters that occurred in shaped text before.

    In the Latin font a glyph's advance depends on the next character alone: the font kerns by pairs (OpenType GPOS
    lookup type 2), and `learn` skips the few characters whose rules look further. So most names need no shaping once
    their pairs are cached.
    """

    def __init__(self, font: EmbeddedFont) -> None:
        self._font = font
        self._codes: dict[tuple[str, str], str] = {}
        self._advances: dict[tuple[str, str], int] = {}

    def learn(self, run: GlyphRun) -> None:
        """Cache the pairs of a left-to-right run."""
        font, nominal = self._font, self._font.font.plain_glyphs
        following = [*run.texts[1:], _END]
        for glyph, text, after, advance in zip(run.glyphs, run.texts, following, run.advances, strict=True):
            use = (glyph, text)
            if (
                _KERNABLE.fullmatch(text)
                and _KERNABLE.fullmatch(after)
                and glyph == nominal[text]
                and use in font.codes
            ):
                # Thread safety: the code before the advance, because readers look up the advance first.
                self._codes[text, after] = _step(font.codes[use], font.advances[use], advance)
                self._advances[text, after] = advance

    def width(self, text: str) -> int:
        """Return the width in thousandths of the font size. Raises KeyError for text that needs shaping."""
        return sum(map(self._advances.__getitem__, zip(text, text[1:] + _END, strict=True)))

    def draw(self, text: str, x: float, y: float, size: float) -> bytes:
        """Return the operators that draw the text. Raises KeyError for text that needs shaping."""
        codes = "".join(map(self._codes.__getitem__, zip(text, text[1:] + _END, strict=True)))
        return _line(self._font.name, codes, x, y, size)


def _line(font: bytes, codes: str, x: float, y: float, size: float) -> bytes:
    return b"BT %s Td /%s %s Tf %s ET" % (numbers(x, y), font, numbers(size), _shown(codes).encode("ascii"))


def _show(run: GlyphRun, font: EmbeddedFont, size: float) -> str:
    """Return the operators that show a run."""
    uses = list(zip(run.glyphs, run.texts, strict=True))
    if not font.composes and not all(map(font.spells, uses)):
        return _show_spelled_out(uses, run.advances, font, size)
    codes = [_step(font.codes[use], font.advances[use], to) for use, to in zip(uses, run.advances, strict=True)]
    return _shown("".join(codes))


def _step(code: str, width: int, advance: int) -> str:
    """Return a glyph's code, and an adjustment if its advance differs from its width."""
    return code if width == advance else f"{code}>{width - advance}<"


def _shown(codes: str) -> str:
    return f"[<{codes}>]TJ" if "<" in codes else f"<{codes}>Tj"


def _show_spelled_out(uses: list[GlyphUse], advances: list[int], font: EmbeddedFont, size: float) -> str:
    """Return the operators that show each cluster as marked content with ActualText, for fonts that do not compose."""
    parts = []
    for (key, text), advance in zip(uses, advances, strict=True):
        components = [(key, 0, 0)] if isinstance(key, int) else key
        x, shown = 0, []
        for glyph, dx, dy in components:
            code = font.codes[glyph, text]
            shown.append(f"{dy * size / 1000:.2f} Ts [{x - dx}<{code}>]TJ")
            x = dx + font.advances[glyph, text]
        actual = text.encode("utf-16-be").hex()
        parts.append(f"/Span<</ActualText<feff{actual}>>>BDC {' '.join(shown)} [{x - advance}]TJ 0 Ts EMC")
    return " ".join(parts)
