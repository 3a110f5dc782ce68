"""Shape a line of text into positioned glyphs with HarfBuzz."""

from dataclasses import dataclass

import uharfbuzz as hb

from ticketkit.rendering.errors import UndrawableTextError
from ticketkit.rendering.text.fonts import LATIN, FontInstance, typeface
from ticketkit.rendering.text.itemise import TextRun, itemise

# A glyph id, or several glyphs at fixed positions that represent a text cluster: (glyph, x, y), in 1/1000 em.
Component = tuple[int, int, int]
GlyphKey = int | tuple[Component, ...]

# Latin ligatures are off, so that text extraction gives separate letters.
_FEATURES = {"Latn": {"liga": False}}
# Maximum distance of a cluster's parts from its origin, in 1/1000 em. Two marks above a letter are within it; parts
# further away would overlap other texts, or exceed the number range of fonts.
_MAX_VERTICAL_OFFSET, _MAX_HORIZONTAL_OFFSET = 520, 10_000
_MIRRORED = str.maketrans("()[]{}<>\u00ab\u00bb\u2039\u203a", ")(][}{><\u00bb\u00ab\u203a\u2039")


@dataclass(frozen=True, slots=True)
class GlyphRun:
    """Glyphs of one font in visual order, left to right; lengths in 1/1000 em.

    ``texts`` holds the text that each glyph represents, ``advances`` the distance to the next glyph. Texts are in
    visual order too, because PDF readers extract characters from left to right and then reverse right-to-left words.
    """

    font: FontInstance
    glyphs: list[GlyphKey]
    texts: list[str]
    advances: list[int]
    width: int

    def uses(self) -> dict[tuple[GlyphKey, str], int]:
        """Return the advance of each use: a glyph with its text."""
        return dict(zip(zip(self.glyphs, self.texts, strict=True), self.advances, strict=True))


@dataclass(frozen=True, slots=True)
class ShapedLine:
    """A line with its runs in visual order, ready to be drawn."""

    text: str
    runs: list[GlyphRun]
    width: int


def shape_line(text: str, weight: int, language: str, right_to_left: bool) -> ShapedLine:
    """Shape a line; ``right_to_left`` is its base direction.

    Raises UndrawableTextError if the fonts cannot draw the text as written.
    """
    runs = [_shape_run(text, run, weight, language) for run in itemise(text, language, int(right_to_left))]
    return ShapedLine(text, runs, sum([run.width for run in runs]))


def shape_identifier(text: str, weight: int) -> ShapedLine:
    """Set ASCII text without kerning, for ids and references.

    The text must not have control characters (see ``content.clean_text``); the font has all other ASCII characters.
    """
    font = typeface(LATIN).instance(weight)
    glyphs = [font.plain_glyphs[char] for char in text]
    advances = list(map(font.advance, glyphs))
    width = sum(advances)
    return ShapedLine(text, [GlyphRun(font, [*glyphs], list(text), advances, width)], width)


def _shape_run(text: str, run: TextRun, weight: int, language: str) -> GlyphRun:
    font = typeface(run.source).instance(weight)
    part = text[run.start : run.end]
    buffer = hb.Buffer()
    buffer.add_str(part)
    buffer.flags = hb.BufferFlags.REMOVE_DEFAULT_IGNORABLES
    buffer.direction = "rtl" if run.right_to_left else "ltr"
    buffer.script = run.script
    buffer.language = language
    hb.shape(font.hb_font, buffer, _FEATURES.get(run.script))
    infos, places = buffer.glyph_infos, buffer.glyph_positions
    glyphs = [info.codepoint for info in infos]
    clusters = [info.cluster for info in infos]
    if 0 in glyphs:
        raise UndrawableTextError
    positions = [place.position for place in places or ()]  # None for empty text
    if len(glyphs) == len(part) and not run.right_to_left and not any(x or y for x, y, _, _ in positions):
        advances = [position[2] for position in positions]
        if clusters == list(range(len(part))):
            return GlyphRun(font, [*glyphs], list(part), advances, sum(advances))
    return _merge_clusters(font, part, list(zip(glyphs, clusters, positions, strict=True)), run.right_to_left)


def _merge_clusters(
    font: FontInstance,
    text: str,
    placed: list[tuple[int, int, tuple[int, int, int, int]]],
    right_to_left: bool,
) -> GlyphRun:
    """Return a run with one glyph key per cluster, composed if the font draws the cluster with several glyphs."""
    if not placed:  # only invisible characters
        return GlyphRun(font, [], [], [], 0)
    starts = sorted({cluster for _, cluster, _ in placed})
    ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
    keys: list[GlyphKey] = []
    texts: list[str] = []
    advances: list[int] = []
    i = 0
    while i < len(placed):
        cluster, components, x = placed[i][1], [], 0
        while i < len(placed) and placed[i][1] == cluster:
            glyph, _, (dx, dy, advance, _) = placed[i]
            if abs(dy) > _MAX_VERTICAL_OFFSET or abs(x + dx) > _MAX_HORIZONTAL_OFFSET:
                raise UndrawableTextError
            components.append((glyph, x + dx, dy))
            x += advance
            i += 1
        shown = text[cluster : ends[cluster]]
        plain = len(components) == 1 and components[0][1:] == (0, 0)
        keys.append(components[0][0] if plain else tuple(components))
        texts.append(shown.translate(_MIRRORED)[::-1] if right_to_left else shown)
        advances.append(x)
    return GlyphRun(font, keys, texts, advances, sum(advances))
