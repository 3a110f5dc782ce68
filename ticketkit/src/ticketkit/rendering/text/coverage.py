"""Find scripts that the fonts do not cover, before tickets are rendered."""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from fontTools.unicodedata import script_name

from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.text.fonts import (
    CJK,
    EMOJI,
    LATIN,
    SCRIPT_FONTS,
    SYMBOLS,
    FontFile,
    Typeface,
    font_path,
    fonts_folder,
)

_Ranges = tuple[tuple[int, int], ...]  # first and last code points
_MAX_QUOTED_CHARACTERS: Final = 6
# Checked are the letters and marks of Unicode 3.2 in these ranges. They suffice for names in these scripts, and unlike
# the current Unicode version of Python's `unicodedata` they do not grow faster than the fonts.
_LETTERS: Final[dict[str, _Ranges]] = {
    "Arab": ((0x600, 0x6FF),),
    "Armn": ((0x530, 0x58F),),
    "Beng": ((0x980, 0x9FF),),
    "Deva": ((0x900, 0x97F),),
    "Ethi": ((0x1200, 0x137F),),
    "Geor": ((0x10A0, 0x10FF),),
    "Gujr": ((0xA80, 0xAFF),),
    "Guru": ((0xA00, 0xA7F),),
    "Hebr": ((0x590, 0x5FF),),
    "Knda": ((0xC80, 0xCFF),),
    "Khmr": ((0x1780, 0x17FF),),
    "Laoo": ((0xE80, 0xEFF),),
    "Mlym": ((0xD00, 0xD7F),),
    "Mymr": ((0x1000, 0x109F),),
    "Orya": ((0xB00, 0xB7F),),
    "Sinh": ((0xD80, 0xDFF),),
    "Taml": ((0xB80, 0xBFF),),
    "Telu": ((0xC00, 0xC7F),),
    "Thai": ((0xE00, 0xE7F),),
    "Latn": ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF)),
    "Grek": ((0x386, 0x3CE),),
    "Cyrl": ((0x400, 0x4FF),),
    "Bopo": ((0x3105, 0x312C),),
    "Hira": ((0x3041, 0x3094),),
    "Kana": ((0x30A1, 0x30FA),),
}
_HAN: Final[_Ranges] = ((0x4E00, 0x9FA5),)
_HANGUL: Final[_Ranges] = ((0xAC00, 0xD7A3),)
_FACES: Final[_Ranges] = ((0x1F600, 0x1F64F),)
_SIGNS: Final[_Ranges] = ((0x2300, 0x2304), (0x2643, 0x2647), (0x26B2, 0x26BC))


def uncovered_scripts() -> dict[str, str]:
    """Return the scripts that the fonts do not cover, each with a message: the missing font, or missing characters.

    Keys are English names of scripts, and `Emoji` and `Symbols`. Empty if everything is covered. Tickets show a
    placeholder for characters that no font has; without the Latin font no ticket can be rendered. `use_fonts` may still
    be called afterwards. Raises FontError if `TICKETKIT_FONTS` is set, but not to a folder.
    """
    fonts_folder()
    opened = {font: _opened(font) for font in (LATIN, *SCRIPT_FONTS.values(), *CJK.values(), EMOJI, SYMBOLS)}
    typefaces = [found for found in opened.values() if isinstance(found, Typeface)]
    uncovered: dict[str, str] = {}
    for name, font, characters in _requirements():
        found = opened[font]
        others = [] if font is LATIN else typefaces  # no other font can replace it
        if isinstance(found, Typeface):
            if lacking := _missing(characters, [found, *others]):
                uncovered[name] = _missing_message(lacking, font)
        elif font_path(font) or _missing(characters, others):  # a broken file always fails the ticket
            uncovered[name] = str(found)
    return uncovered


def _requirements() -> Iterator[tuple[str, FontFile, list[int]]]:
    """Yield the name of each script, its font, and the characters that the font needs."""
    first = SCRIPT_FONTS | {"Bopo": CJK["tc"], "Hira": CJK["jp"], "Kana": CJK["jp"]}
    for script, ranges in _LETTERS.items():
        yield script_name(script), first.get(script, LATIN), _letters(ranges)
    for font in CJK.values():
        yield script_name("Hani"), font, _all(_HAN)
    yield script_name("Hang"), CJK["kr"], _all(_HANGUL)
    yield "Emoji", EMOJI, _all(_FACES)
    yield "Symbols", SYMBOLS, _all(_SIGNS)


def _opened(font: FontFile) -> Typeface | RenderingError:
    try:
        return Typeface(font)
    except RenderingError as error:
        return error


def _all(ranges: _Ranges) -> list[int]:
    return [point for first, last in ranges for point in range(first, last + 1)]


def _letters(ranges: _Ranges) -> list[int]:
    return [point for point in _all(ranges) if unicodedata.ucd_3_2_0.category(chr(point))[0] in "LM"]


def _missing(characters: list[int], typefaces: Iterable[Typeface]) -> list[int]:
    """Return the characters that no typeface has."""
    for typeface in typefaces:
        characters = [point for point in characters if point not in typeface.coverage]
    return characters


def _missing_message(lacking: list[int], font: FontFile) -> str:
    quoted = ", ".join(f"U+{point:04X}" for point in lacking[:_MAX_QUOTED_CHARACTERS])
    more = f" and {len(lacking) - _MAX_QUOTED_CHARACTERS} more" if len(lacking) > _MAX_QUOTED_CHARACTERS else ""
    return f"{font.filename} lacks {quoted}{more}: take a newer version of the font"
