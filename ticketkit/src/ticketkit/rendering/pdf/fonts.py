"""Embed font subsets as composite fonts (ISO 32000-1, 9.7)."""

import zlib
from collections.abc import Callable, Iterable, Mapping

from ticketkit.rendering.pdf.objects import quick_stream, reference, small_stream
from ticketkit.rendering.text.charstrings import charstring
from ticketkit.rendering.text.compact_font import compact_font
from ticketkit.rendering.text.fonts import FontInstance
from ticketkit.rendering.text.shaping import GlyphKey
from ticketkit.rendering.text.subset import make_subset

_CMAP_HEAD = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def
/CMapName/Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000><FFFF>
endcodespacerange
"""
_CMAP_TAIL = b"endcmap\nCMapName currentdict/CMap defineresource pop\nend\nend\n"


GlyphUse = tuple[GlyphKey, str]  # a glyph, and the text that it represents


class EmbeddedFont:
    """A font under a resource name.

    ``codes`` maps each use of a glyph to a hexadecimal character code. A glyph that represents several texts (Arabic
    draws several letters with the same base) has a code for each, so that the text can be extracted. If ``composes`` is
    false, composed glyphs and such texts have to be drawn from their parts, with ActualText.
    """

    def __init__(self, name: bytes, font: FontInstance, is_cff: bool, composes: bool) -> None:
        self.name = name
        self.font = font
        self.is_cff = is_cff
        self.composes = composes
        self.codes: dict[GlyphUse, str] = {}
        self.advances: dict[GlyphUse, int] = {}
        self._texts: dict[int, str] = {}
        self._widths: dict[int, int] = {}
        self._mapped: list[int] | None = None  # glyph id by character code, if they differ
        self.program = b""  # the font file

    def _add(self, use: GlyphUse, code: int, advance: int) -> None:
        self.codes[use] = f"{code:04x}"
        self.advances[use] = self._widths[code] = advance
        self._texts.setdefault(code, use[1])

    def spells(self, use: GlyphUse) -> bool:
        """Return whether the character code alone maps to the text."""
        return use in self.codes and self._texts[int(self.codes[use], 16)] == use[1]

    def objects(self, first: int, small: bool = False) -> list[bytes]:
        """Return the bodies of the font's objects, to be numbered from ``first``; the first is the font itself.

        ``small`` compresses best instead of fast, for fonts that many tickets share.
        """
        compressed = small_stream if small else quick_stream
        base = f"{_prefix(self.program)}+{self.font.name}".encode("ascii")
        descendant, descriptor, program, to_unicode, glyph_map = map(reference, range(first + 1, first + 6))
        if self.is_cff:
            kind, file_key = b"/CIDFontType0", b"/FontFile3"
        else:
            kind, file_key = b"/CIDFontType2", b"/FontFile2"
            kind += b"/CIDToGIDMap" + (b"/Identity" if self._mapped is None else b" " + glyph_map)
        bodies = [
            b"<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%s]/ToUnicode %s>>"
            % (base, descendant, to_unicode),
            b"<</Type/Font/Subtype%s/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
            b"/FontDescriptor %s/DW 1000/W[%s]>>" % (kind, base, descriptor, self._width_array()),
            b"<</Type/FontDescriptor/FontName/%s%s%s %s>>" % (base, self._metrics(), file_key, program),
            self._program_stream(compressed),
            compressed(b"", self._to_unicode()),
        ]
        if self._mapped is not None:
            bodies.append(compressed(b"", b"".join([glyph.to_bytes(2, "big") for glyph in self._mapped])))
        return bodies

    def _metrics(self) -> bytes:
        ascent, descent = self.font.extents
        box = b"/FontBBox[-1000 %d 3000 %d]/Ascent %d/Descent %d" % (descent, ascent, ascent, descent)
        return b"/Flags 4/ItalicAngle 0/CapHeight 714/StemV %d" % (50 + self.font.weight // 5) + box

    def _program_stream(self, compressed: Callable[[bytes, bytes], bytes]) -> bytes:
        data = self.program
        return compressed(b"/Subtype/CIDFontType0C" if self.is_cff else b"/Length1 %d" % len(data), data)

    def _width_array(self) -> bytes:
        parts: list[bytes] = []
        previous = -2
        for code, width in sorted(self._widths.items()):
            if code == previous + 1:
                parts.append(b" %d" % width)
            else:
                parts.append((b"]" if parts else b"") + b"%d[%d" % (code, width))
            previous = code
        return b"".join(parts) + (b"]" if parts else b"")

    def _to_unicode(self) -> bytes:
        ranges: list[tuple[int, int, str]] = []  # first and last code, text of the first
        for code, text in sorted(self._texts.items()):
            if ranges:
                first, last, start = ranges[-1]
                follows = code == last + 1 and len(text) == len(start) == 1
                # The high byte must not change within a range, neither in the codes nor in the texts.
                if follows and code & 0xFF and ord(text) == ord(start) + code - first and ord(text) & 0xFF:
                    ranges[-1] = (first, code, start)
                    continue
            ranges.append((code, code, text))
        lines = [f"<{first:04x}><{last:04x}><{text.encode('utf-16-be').hex()}>" for first, last, text in ranges]
        sections = []
        for i in range(0, len(lines), 100):
            part = lines[i : i + 100]
            sections.append(f"{len(part)} beginbfrange\n" + "\n".join(part) + "\nendbfrange\n")
        return _CMAP_HEAD + "".join(sections).encode("ascii") + _CMAP_TAIL


class SharedFont(EmbeddedFont):
    """A font that all tickets of an event share, optimised for size. Fonts with CFF outlines do not compose."""

    def __init__(self, name: bytes, font: FontInstance, uses: Mapping[GlyphUse, int]) -> None:
        """Embed the glyphs of ``uses``, which maps each use to its advance."""
        subset = make_subset(font, {key: advance for (key, _), advance in uses.items()})
        super().__init__(name, font, subset.is_cff, composes=not subset.is_cff)
        self.program = subset.data
        # Character codes equal the subset's glyph ids, unless one glyph represents several texts and codes can be
        # mapped.
        if self.composes and len({key for key, _ in uses}) < len(uses):
            self._mapped = [0]
        for use in uses if self.composes else _plain(uses):
            key = use[0]
            code = subset.glyph_ids[key]
            if self._mapped is not None:
                self._mapped.append(code)
                code = len(self._mapped) - 1
            self._add(use, code, font.advance(key) if isinstance(key, int) else uses[use])


class TicketFont(EmbeddedFont):
    """A font of a single ticket, optimised for speed: one glyph per use, with composed glyphs merged."""

    def __init__(self, name: bytes, font: FontInstance, uses: Mapping[GlyphUse, int]) -> None:
        """Embed the glyphs of ``uses``, which maps each use to its advance."""
        super().__init__(name, font, is_cff=True, composes=True)
        charstrings = []
        for code, ((key, text), advance) in enumerate(uses.items(), 1):
            width = font.advance(key) if isinstance(key, int) else advance
            charstrings.append(charstring(font, key, width))
            self._add((key, text), code, width)
        self.program = compact_font(charstrings)


def _plain(uses: Iterable[GlyphUse]) -> list[GlyphUse]:
    """Return the uses with composed glyphs split into their parts, each of which represents the whole text."""
    plain: dict[GlyphUse, None] = {}
    for key, text in uses:
        parts = [key] if isinstance(key, int) else [glyph for glyph, _, _ in key]
        plain |= dict.fromkeys((part, text) for part in parts)
    return list(plain)


def _prefix(data: bytes) -> str:
    """Return the six letters that mark the name of a subset, derived from its bytes."""
    value, letters = zlib.crc32(data), []
    for _ in range(6):
        value, letter = divmod(value, 26)
        letters.append(chr(65 + letter))
    return "".join(letters)
