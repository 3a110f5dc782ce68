"""Which font draws which script, and the font files as HarfBuzz objects.

The fonts are Noto (SIL Open Font License), from the folder that ``use_fonts`` or ``TICKETKIT_FONTS`` names, else from
the packages ``manimgx-fonts`` and ``manimgx-fonts-cjk``. All are variable in weight. Lengths in this package are in
thousandths of an em, the unit of PDF's glyph widths.
"""

import os
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Final

import uharfbuzz as hb

from ticketkit.rendering.errors import FontError

EM = 1000


@dataclass(frozen=True, slots=True, eq=False)
class FontFile:
    """Where a font lies: a file of a folder or an installed package, and the face's index inside a collection.

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
FONTS_VARIABLE: Final = "TICKETKIT_FONTS"
_chosen: Path | None = None  # by `use_fonts`


def use_fonts(folder: str | PathLike[str]) -> None:
    """Take the fonts from a folder, where they have the file names that Noto gives them.

    A file that is not there is taken from the installed packages. Fonts are loaded once a process, so call this before
    the first ticket is drawn. The environment variable `TICKETKIT_FONTS` names a folder without any call; this function
    overrides it. Raises FontError for what is no folder, and when other fonts are in use already.
    """
    global _chosen
    path = _existing(folder, "the folder of fonts")
    if typeface.cache_info().currsize and path != fonts_folder():
        raise FontError(f"other fonts than those in {path} are in use: choose the folder before the first ticket")
    _chosen = path


def fonts_folder() -> Path | None:
    """Return the folder that fonts are looked for in first, if there is one. Raises FontError for no folder."""
    if _chosen is not None:
        return _chosen
    named = os.environ.get(FONTS_VARIABLE)
    return _existing(named, FONTS_VARIABLE) if named else None


def _existing(folder: str | PathLike[str], name: str) -> Path:
    path = Path(folder).absolute()
    if not path.is_dir():
        raise FontError(f"{name}: {path} is no folder: name the one that the font files are in")
    return path


def font_path(source: FontFile) -> Path | None:
    """Return the file of a font: in the chosen folder, else in its package, None if neither has it."""
    folder = fonts_folder()
    if folder is not None and (own := folder / source.filename).is_file():
        return own
    package = find_spec(source.package)
    if package is None or package.origin is None:
        return None
    installed = Path(package.origin).with_name(source.filename)
    return installed if installed.is_file() else None


def _open_face(source: FontFile) -> hb.Face:
    """Return the face of a font file that varies in weight alone. Raises FontError, which says what is wrong."""
    path = font_path(source)
    if path is None:
        distribution, folder = source.package.replace("_", "-"), fonts_folder()
        where = f"put the file into {folder}" if folder else f"set {FONTS_VARIABLE} to a folder that has the file"
        raise FontError(f"the font {source.filename} is missing: install {distribution}, or {where}")
    try:
        face = hb.Face(_blob(path), source.index)
    except hb.HarfBuzzError as error:
        raise FontError(f"the font {path} cannot be read: {error}") from error
    if not face.glyph_count:
        raise FontError(f"{path} is not the font of this name: download it again")
    if [axis.tag for axis in face.axis_infos] != ["wght"]:
        raise FontError(f"the font {path} does not vary in weight alone: take Noto's variable font of this name")
    return face


@cache
def _blob(path: Path) -> hb.Blob:
    """Return the file, mapped into memory once for all its faces."""
    return hb.Blob.from_file_path(str(path))


class Typeface:
    """A font file in memory, at any weight."""

    def __init__(self, source: FontFile) -> None:
        self.source = source
        self.face = _open_face(source)
        self.coverage = self.face.unicodes
        (axis,) = self.face.axis_infos
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


@cache
def find_typeface(source: FontFile) -> Typeface | None:
    """Return the typeface of a font file; None if the file is missing, so that other fonts are asked."""
    return typeface(source) if font_path(source) else None


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
