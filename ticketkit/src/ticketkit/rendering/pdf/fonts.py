"""Embeds parts of fonts as composite fonts (ISO 32000-1, 9.7)."""

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


GlyphUse = tuple[GlyphKey, str]  # a glyph and the text it stands for


class EmbeddedFont:
    """A font under a resource name.

    ``codes`` maps glyphs with the text they stand for to hexadecimal character codes. A glyph that stands for different
    texts (scripts such as Arabic draw several letters with the same base) has a code for each, so that every text
    can be read back. If ``composes`` is false, composed glyphs and such texts have to be spelled out instead.
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
        self._mapped: list[int] | None = None  # glyph by character code, unless these are the same
        self.program = b""  # the font file

    def _add(self, use: GlyphUse, code: int, advance: int) -> None:
        self.codes[use] = f"{code:04x}"
        self.advances[use] = self._widths[code] = advance
        self._texts.setdefault(code, use[1])

    def spells(self, use: GlyphUse) -> bool:
        """Whether the code alone gives the text back."""
        return use in self.codes and self._texts[int(self.codes[use], 16)] == use[1]

    def objects(self, first: int, small: bool = False) -> list[bytes]:
        """Bodies of the font's objects, to be numbered from ``first``; the first is the font itself.

        ``small`` spends time on compression, as fonts shared by many tickets deserve.
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
                # A range stays within one value of the codes' high byte, and of the texts' too.
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
    """A font of many tickets, as small as subsetting makes it. Those with CFF outlines do not compose."""

    def __init__(self, name: bytes, font: FontInstance, uses: Mapping[GlyphUse, int]) -> None:
        """``uses`` maps each glyph with its text to the glyph's advance."""
        subset = make_subset(font, {key: advance for (key, _), advance in uses.items()})
        super().__init__(name, font, subset.is_cff, composes=not subset.is_cff)
        self.program = subset.data
        # Character codes are the subset's glyph ids, unless one glyph stands for two texts and codes can be mapped.
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
    """A font of one ticket, made fast: a glyph for each use, composed ones drawn as one."""

    def __init__(self, name: bytes, font: FontInstance, uses: Mapping[GlyphUse, int]) -> None:
        """``uses`` maps each glyph with its text to the glyph's advance."""
        super().__init__(name, font, is_cff=True, composes=True)
        charstrings = []
        for code, ((key, text), advance) in enumerate(uses.items(), 1):
            width = font.advance(key) if isinstance(key, int) else advance
            charstrings.append(charstring(font, key, width))
            self._add((key, text), code, width)
        self.program = compact_font(charstrings)


def _plain(uses: Iterable[GlyphUse]) -> list[GlyphUse]:
    """Uses of single glyphs: composed ones taken apart, each part standing for the whole text."""
    plain: dict[GlyphUse, None] = {}
    for key, text in uses:
        parts = [key] if isinstance(key, int) else [glyph for glyph, _, _ in key]
        plain |= dict.fromkeys((part, text) for part in parts)
    return list(plain)


def _prefix(data: bytes) -> str:
    """The six letters that mark a subset, drawn from its bytes."""
    value, letters = zlib.crc32(data), []
    for _ in range(6):
        value, letter = divmod(value, 26)
        letters.append(chr(65 + letter))
    return "".join(letters)
