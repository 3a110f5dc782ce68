"""Split a line into runs of the same direction, script and font."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from fontTools.unicodedata import script as unicode_script

from ticketkit.rendering.errors import UndrawableTextError
from ticketkit.rendering.text.bidi import embedding_levels, needs_bidi, visual_runs
from ticketkit.rendering.text.fonts import (
    CJK,
    CJK_SCRIPTS,
    EMOJI,
    LATIN,
    SCRIPT_FONTS,
    SYMBOLS,
    FontFile,
    cjk_region,
    find_typeface,
)

_SHARED_SCRIPTS = frozenset(("Zyyy", "Zinh", "Zzzz"))
_IGNORABLE = frozenset("\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
_ZWJ = "\u200d"
# The longest in real text have 11: emoji families with skin tones. Limits the work for endless combining marks.
MAX_CLUSTER_CHARACTERS = 12
# ASCII, Latin letters with accents, and other characters that the Latin font has: the fast path for most texts.
_LATIN_LETTERS = re.compile("[ -~\u00a1-\u00ac\u00ae-\u024f\u1e00-\u1eff\u2010-\u2027\u20ac]*")


@dataclass(frozen=True, slots=True)
class TextRun:
    """``text[start:end]`` in one font and direction."""

    start: int
    end: int
    source: FontFile
    script: str
    right_to_left: bool


def is_ignorable(char: str) -> bool:
    """Return whether a character is invisible by itself (joiners, direction marks, variation selectors, tags)."""
    point = ord(char)
    return (
        char in _IGNORABLE
        or 0x202A <= point <= 0x202E
        or 0x2066 <= point <= 0x2069
        or 0xFE00 <= point <= 0xFE0F
        or 0xE0000 <= point <= 0xE0FFF
    )


def itemise(text: str, language: str, paragraph: int) -> list[TextRun]:
    """Return the runs of a line in visual order; ``paragraph`` is the line's base level (0 or 1).

    Raises UndrawableTextError for a character that no font has, or a cluster that is too long.
    """
    if text.isascii() or (not paragraph and _LATIN_LETTERS.fullmatch(text)):
        return [TextRun(0, len(text), LATIN, "Latn", False)]
    if paragraph or needs_bidi(text):
        _, levels = embedding_levels(text, paragraph)
        directions = visual_runs(levels)
    else:
        directions = [(0, len(text), 0)]
    chosen = _fonts_by_character(text, language)
    runs: list[TextRun] = []
    for start, end, level in directions:
        part = _split(start, end, chosen, bool(level % 2))
        runs.extend(reversed(part) if level % 2 else part)
    return runs


def _split(start: int, end: int, chosen: list[tuple[FontFile, str]], right_to_left: bool) -> list[TextRun]:
    runs: list[TextRun] = []
    first = start
    for i in range(start + 1, end + 1):
        if i == end or chosen[i] != chosen[first]:
            runs.append(TextRun(first, i, *chosen[first], right_to_left))
            first = i
    return runs


def _fonts_by_character(text: str, language: str) -> list[tuple[FontFile, str]]:
    """Return the font and script of each character, the same for all of a cluster."""
    cjk = CJK[cjk_region(text, language)]
    spans = clusters(text)
    scripts = [_cluster_script(text[start:end]) for start, end in spans]
    chosen: list[tuple[FontFile, str]] = []
    previous: tuple[FontFile, str] | None = None
    for number, (start, end) in enumerate(spans):
        if end - start > MAX_CLUSTER_CHARACTERS:
            raise UndrawableTextError
        script = scripts[number]
        cluster = text[start:end]
        if script in _SHARED_SCRIPTS:
            if previous is None:
                following = (s for s in scripts[number:] if s not in _SHARED_SCRIPTS)
                script = next(following, "Latn")
                previous = (_script_font(script, cjk), script)
            else:
                script = previous[1]
        source = _font_for(cluster, script, previous[0] if previous else None, cjk)
        if source not in (EMOJI, SYMBOLS):
            previous = (source, script)
        chosen.extend([(source, script)] * (end - start))
    return chosen


def _script_font(script: str, cjk: FontFile) -> FontFile:
    return cjk if script in CJK_SCRIPTS else SCRIPT_FONTS.get(script, LATIN)


@lru_cache(maxsize=8192)
def _font_for(cluster: str, script: str, previous: FontFile | None, cjk: FontFile) -> FontFile:
    """Return the first available font that has every visible character of the cluster."""
    visible = [ord(char) for char in cluster if not is_ignorable(char) and char not in "\t\n\r"]
    first = _script_font(script, cjk)
    order = [first, *([previous] if previous else []), LATIN, SYMBOLS, EMOJI, cjk, *SCRIPT_FONTS.values()]
    if _is_emoji(cluster):
        order.insert(0, EMOJI)
    for source in order:
        found = find_typeface(source)
        if found and all(point in found.coverage for point in visible):
            return source
    raise UndrawableTextError


@lru_cache(maxsize=8192)
def _cluster_script(cluster: str) -> str:
    for char in cluster:
        script = unicode_script(char)
        if script not in _SHARED_SCRIPTS:
            return str(script)
    return "Zyyy"


def _is_emoji(cluster: str) -> bool:
    if "\ufe0e" in cluster:
        return False
    return (
        "\ufe0f" in cluster
        or "\u20e3" in cluster
        or (_ZWJ in cluster and ord(cluster[0]) > 0x2000)
        or (0x1F000 <= ord(cluster[0]) <= 0x1FBFF)
    )


def is_latin(text: str) -> bool:
    """Return whether the text takes the fast path: all of it is drawn with the Latin font."""
    return _LATIN_LETTERS.fullmatch(text) is not None


def clusters(text: str) -> list[tuple[int, int]]:
    """Return start and end of the grapheme clusters, simplified to what the choice of fonts needs."""
    found: list[tuple[int, int]] = []
    start = 0
    for i in range(1, len(text)):
        char = text[i]
        extends = (
            _joins_what_precedes(char)
            or (text[i - 1] == _ZWJ and ord(char) > 0x2000)
            or (_is_regional(char) and _is_regional(text[i - 1]) and i - start == 1)
        )
        if not extends:
            found.append((start, i))
            start = i
    if text:
        found.append((start, len(text)))
    return found


@lru_cache(maxsize=8192)
def _joins_what_precedes(char: str) -> bool:
    """Return whether a character is a mark, invisible, or the skin tone of an emoji."""
    is_mark = unicodedata.category(char) in ("Mn", "Mc", "Me")
    return is_mark or is_ignorable(char) or 0x1F3FB <= ord(char) <= 0x1F3FF


def _is_regional(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF
