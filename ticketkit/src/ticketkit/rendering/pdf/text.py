"""Content stream operators that draw shaped lines."""

import re
from collections.abc import Callable
from typing import Final, Protocol

from ticketkit.rendering.pdf.fonts import EmbeddedFont, GlyphUse
from ticketkit.rendering.pdf.objects import numbers
from ticketkit.rendering.text.shaping import GlyphRun, ShapedLine

FindFont = Callable[[GlyphRun], EmbeddedFont]

_END: Final = "\0"  # stands for the neighbour of a text's last character
# Latin without combining marks and without Catalan's raised dot.
_PAIRED: Final = re.compile("[\0 -~\u00a1-\u00ac\u00ae-\u00b6\u00b8-\u024f\u1e00-\u1eff\u2010-\u2027\u20ac]")


def draw_line(line: ShapedLine, x: float, y: float, size: float, find_font: FindFont) -> bytes:
    """Operators drawing ``line`` with its left end at ``x`` on the baseline ``y``, in points."""
    parts = [b"BT %s Td" % numbers(x, y)]
    for run in line.runs:
        font = find_font(run)
        parts.append(b"/%s %s Tf" % (font.name, numbers(size)))
        parts.append(_show(run, font, size).encode("ascii"))
    parts.append(b"ET")
    return b" ".join(parts)


class QuickText(Protocol):
    """Sets some texts without shaping them. `width()` raises KeyError for a text that it cannot set."""

    def width(self, text: str) -> int:
        """In thousandths of the size."""
        ...

    def draw(self, text: str, x: float, y: float, size: float) -> bytes:
        """The same operators as draw_line()'s, for a text that has a width."""
        ...


class PlainText:
    """Sets ASCII text with a font's nominal glyphs, without kerning: ids and references, which nobody reads."""

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
        return sum(map(self._advances.__getitem__, text))

    def draw(self, text: str, x: float, y: float, size: float) -> bytes:
        return _line(self._name, "".join(map(self._codes.__getitem__, text)), x, y, size)


class KernedText:
    """Sets Latin text from pairs of characters that stood side by side in shaped text before.

    In the Latin font, how far a letter reaches depends on its neighbour alone: it kerns by pairs (OpenType's GPOS
    lookup type 2), and the few rules that look further are about characters that no pair is learnt of. So names that
    all differ need no shaping once their pairs of letters are known.
    """

    def __init__(self, font: EmbeddedFont) -> None:
        self._font = font
        self._codes: dict[tuple[str, str], str] = {}
        self._advances: dict[tuple[str, str], int] = {}

    def learn(self, run: GlyphRun) -> None:
        """Take down the pairs of a run from left to right."""
        font, nominal = self._font, self._font.font.plain_glyphs
        following = [*run.texts[1:], _END]
        for glyph, text, after, advance in zip(run.glyphs, run.texts, following, run.advances, strict=True):
            use = (glyph, text)
            if _PAIRED.fullmatch(text) and _PAIRED.fullmatch(after) and glyph == nominal[text] and use in font.codes:
                # The code first: whoever finds an advance finds a code, in other threads too.
                self._codes[text, after] = _step(font.codes[use], font.advances[use], advance)
                self._advances[text, after] = advance

    def width(self, text: str) -> int:
        return sum(map(self._advances.__getitem__, zip(text, text[1:] + _END, strict=True)))

    def draw(self, text: str, x: float, y: float, size: float) -> bytes:
        codes = "".join(map(self._codes.__getitem__, zip(text, text[1:] + _END, strict=True)))
        return _line(self._font.name, codes, x, y, size)


def _line(font: bytes, codes: str, x: float, y: float, size: float) -> bytes:
    return b"BT %s Td /%s %s Tf %s ET" % (numbers(x, y), font, numbers(size), _shown(codes).encode("ascii"))


def _show(run: GlyphRun, font: EmbeddedFont, size: float) -> str:
    """Operators showing one run."""
    uses = list(zip(run.glyphs, run.texts, strict=True))
    if not font.composes and not all(map(font.spells, uses)):
        return _show_spelled_out(uses, run.advances, font, size)
    codes = [_step(font.codes[use], font.advances[use], to) for use, to in zip(uses, run.advances, strict=True)]
    return _shown("".join(codes))


def _step(code: str, width: int, advance: int) -> str:
    """A glyph's code, and how far the next one is moved back if that is not where the glyph ends."""
    return code if width == advance else f"{code}>{width - advance}<"


def _shown(codes: str) -> str:
    return f"[<{codes}>]TJ" if "<" in codes else f"<{codes}>Tj"


def _show_spelled_out(uses: list[GlyphUse], advances: list[int], font: EmbeddedFont, size: float) -> str:
    """Each cluster as marked content with its ActualText: for fonts whose glyphs cannot be composed."""
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
