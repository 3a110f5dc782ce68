"""Choose and load the fonts of each script, as HarfBuzz objects.

The fonts are Noto (SIL Open Font License), from the folder set by ``use_fonts`` or ``TICKETKIT_FONTS``, else from the
packages ``manimgx-fonts`` and ``manimgx-fonts-cjk``. All have a variable weight. Lengths in this package are in
thousandths of an em, the unit of glyph widths in PDF.
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
    """The location of a font: its file name, the package that has the file, and its index in a font collection.

    There is one object per font, compared by identity, so that lookups by it are fast.
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
_folder: Path | None = None  # set by `use_fonts`


def use_fonts(folder: str | PathLike[str]) -> None:
    """Load fonts from a folder, where the files have Noto's names.

    Files that are not there are loaded from the installed packages. Fonts are loaded once per process: call this before
    the first ticket is rendered. Overrides the environment variable `TICKETKIT_FONTS`. Raises FontError if `folder` is
    not a folder, or if fonts of another folder are already loaded.
    """
    global _folder  # noqa: PLW0603 a setting of the process, like the environment variable that it overrides
    path = _checked_folder(folder, "the folder of fonts")
    if typeface.cache_info().currsize and path != fonts_folder():
        raise FontError(f"other fonts than those in {path} are in use: choose the folder before the first ticket")
    _folder = path


def fonts_folder() -> Path | None:
    """Return the folder that is searched for fonts first, or None. Raises FontError if it is not a folder."""
    if _folder is not None:
        return _folder
    named = os.environ.get(FONTS_VARIABLE)
    return _checked_folder(named, FONTS_VARIABLE) if named else None


def _checked_folder(folder: str | PathLike[str], name: str) -> Path:
    path = Path(folder).absolute()
    if not path.is_dir():
        raise FontError(f"{name}: {path} is no folder: name the one that the font files are in")
    return path


def font_path(source: FontFile) -> Path | None:
    """Return the file of a font, from the configured folder or its package, or None if neither has it."""
    folder = fonts_folder()
    if folder is not None and (own := folder / source.filename).is_file():
        return own
    package = find_spec(source.package)
    if package is None or package.origin is None:
        return None
    installed = Path(package.origin).with_name(source.filename)
    return installed if installed.is_file() else None


def _open_face(source: FontFile) -> hb.Face:
    """Return the face of a font file. Raises FontError if it is missing, broken, or has other axes than weight."""
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
    """Return the file, memory-mapped once for all its faces."""
    return hb.Blob.from_file_path(str(path))


class Typeface:
    """A loaded font file, in all weights."""

    def __init__(self, source: FontFile) -> None:
        self.source = source
        self.face = _open_face(source)
        self.coverage = self.face.unicodes
        (axis,) = self.face.axis_infos
        self._lightest, self._heaviest = axis.min_value, axis.max_value
        self._instances: dict[int, FontInstance] = {}

    def instance(self, weight: int) -> "FontInstance":
        """Return the font at ``weight`` (100 to 900), clamped to the range that the font has."""
        clamped = round(min(max(weight, self._lightest), self._heaviest))
        if clamped not in self._instances:
            self._instances[clamped] = FontInstance(self, clamped)
        return self._instances[clamped]


class _NominalGlyphs(dict[str, int]):
    """The nominal glyph of each character, before shaping; 0 if the font has none."""

    def __init__(self, hb_font: hb.Font) -> None:
        super().__init__()
        self._hb_font = hb_font

    def __missing__(self, char: str) -> int:
        glyph = self[char] = self._hb_font.get_nominal_glyph(ord(char)) or 0
        return glyph


class FontInstance:
    """A typeface at one weight, with its metrics."""

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
        """Return the nominal advance of a glyph, without kerning."""
        width = self._advances.get(glyph)
        if width is None:
            width = self._advances[glyph] = self.hb_font.get_glyph_h_advance(glyph)
        return width

    @cached_property
    def extents(self) -> tuple[int, int]:
        """The ascender and the (negative) descender of a line."""
        found = self.hb_font.get_font_extents("ltr")
        return round(found.ascender), round(found.descender)

    def __repr__(self) -> str:
        return f"FontInstance({self.name})"


@cache
def typeface(source: FontFile) -> Typeface:
    """Return the typeface of a font file, loaded once per process. Raises FontError if it is missing or broken."""
    return Typeface(source)


@cache
def find_typeface(source: FontFile) -> Typeface | None:
    """Return the typeface of a font file, or None if the file is missing. Raises FontError if it is broken."""
    return typeface(source) if font_path(source) else None


def cjk_region(text: str, language: str) -> str:
    """Return the region whose forms of Han characters to use, by kana or hangul in the text, else by the language."""
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
