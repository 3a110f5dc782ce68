"""Which font draws which script, and the font files as HarfBuzz objects.

The fonts are Noto (SIL Open Font License), taken from the packages ``manimgx-fonts`` and ``manimgx-fonts-cjk``. All are
variable in weight. Lengths in this package are in thousandths of an em, the unit of PDF's glyph widths.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import uharfbuzz as hb

from ticketkit.rendering.errors import RenderingError

EM = 1000


@dataclass(frozen=True, slots=True, eq=False)
class FontFile:
    """Where a font lies: a file of an installed package, and the face's index inside a collection.

    There is one object for each font, so that looking something up by it is quick.
    """

    name: str
    package: str
    filename: str
    index: int = 0


def _noto(script: str) -> FontFile:
    return FontFile(f"NotoSans{script}", "manimgx_fonts", f"NotoSans{script}[wght].ttf")


def _cjk(region: str, index: int) -> FontFile:
    return FontFile(f"NotoSansCJK{region}", "manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", index)


LATIN = _noto("")
SYMBOLS = _noto("Symbols")
EMOJI = FontFile("NotoEmoji", "manimgx_fonts", "NotoEmoji[wght].ttf")
CJK = {
    "jp": _cjk("jp", 0),
    "kr": _cjk("kr", 1),
    "sc": _cjk("sc", 2),
    "tc": _cjk("tc", 3),
    "hk": _cjk("hk", 4),
}
SCRIPT_FONTS = {
    "Arab": _noto("Arabic"),
    "Armn": _noto("Armenian"),
    "Beng": _noto("Bengali"),
    "Deva": _noto("Devanagari"),
    "Ethi": _noto("Ethiopic"),
    "Geor": _noto("Georgian"),
    "Gujr": _noto("Gujarati"),
    "Guru": _noto("Gurmukhi"),
    "Hebr": _noto("Hebrew"),
    "Knda": _noto("Kannada"),
    "Khmr": _noto("Khmer"),
    "Laoo": _noto("Lao"),
    "Mlym": _noto("Malayalam"),
    "Mymr": _noto("Myanmar"),
    "Orya": _noto("Oriya"),
    "Sinh": _noto("Sinhala"),
    "Taml": _noto("Tamil"),
    "Telu": _noto("Telugu"),
    "Thai": _noto("Thai"),
}
CJK_SCRIPTS = frozenset(("Hani", "Hira", "Kana", "Hang", "Bopo"))


def open_face(package: str, filename: str, index: int) -> hb.Face:
    """A face of a font file in an installed package."""
    return hb.Face(_blob(package, filename), index)


@cache
def _blob(package: str, filename: str) -> hb.Blob:
    """The file, mapped into memory once for all its faces."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise RenderingError(f"the font package {package} is missing: install the project's requirements")
    return hb.Blob.from_file_path(str(Path(found.origin).with_name(filename)))


class Typeface:
    """A font file in memory, at any weight."""

    def __init__(self, source: FontFile) -> None:
        self.source = source
        self.face = open_face(source.package, source.filename, source.index)
        self.coverage = self.face.unicodes
        axis = next(axis for axis in self.face.axis_infos if axis.tag == "wght")
        self._lightest, self._heaviest = axis.min_value, axis.max_value
        self._instances: dict[int, FontInstance] = {}

    def instance(self, weight: int) -> "FontInstance":
        """The face at ``weight`` (100 to 900, held within what the font offers)."""
        held = round(min(max(weight, self._lightest), self._heaviest))
        if held not in self._instances:
            self._instances[held] = FontInstance(self, held)
        return self._instances[held]


class _NominalGlyphs(dict[str, int]):
    """The glyph of each character before any shaping, 0 if there is none."""

    def __init__(self, hb_font: hb.Font) -> None:
        super().__init__()
        self._hb_font = hb_font

    def __missing__(self, char: str) -> int:
        glyph = self[char] = self._hb_font.get_nominal_glyph(ord(char)) or 0
        return glyph


class FontInstance:
    """A typeface at one weight: shapes text and knows its metrics."""

    def __init__(self, typeface: Typeface, weight: int) -> None:
        self.typeface = typeface
        self.weight = weight
        self.name = f"{typeface.source.name}-{weight}"
        self.hb_font = hb.Font(typeface.face)
        self.hb_font.scale = (EM, EM)
        self.hb_font.set_variations({"wght": weight})
        self.plain_glyphs = _NominalGlyphs(self.hb_font)
        self._advances: dict[int, int] = {}

    def advance(self, glyph: int) -> int:
        """The nominal width of a glyph, without kerning."""
        width = self._advances.get(glyph)
        if width is None:
            width = self._advances[glyph] = self.hb_font.get_glyph_h_advance(glyph)
        return width

    @cached_property
    def extents(self) -> tuple[int, int]:
        """Ascender and descender (negative) of a line."""
        found = self.hb_font.get_font_extents("ltr")
        return round(found.ascender), round(found.descender)

    def __repr__(self) -> str:
        return f"FontInstance({self.name})"


@cache
def typeface(source: FontFile) -> Typeface:
    """The typeface of a font file, loaded once a process."""
    return Typeface(source)


def cjk_region(text: str, language: str) -> str:
    """The regional forms for Han characters: by the kana or hangul in the text, else by the language."""
    if any("\u3040" <= char <= "\u30ff" for char in text):
        return "jp"
    if any("\uac00" <= char <= "\ud7a3" or "\u1100" <= char <= "\u11ff" for char in text):
        return "kr"
    tag = language.lower()
    if tag.startswith("ja"):
        return "jp"
    if tag.startswith("ko"):
        return "kr"
    if tag.startswith(("zh-hk", "zh-hant-hk", "yue")):
        return "hk"
    return "tc" if tag.startswith(("zh-tw", "zh-hant", "zh-mo")) else "sc"
