"""Fits text into a box: at its full size if it can, then smaller, then on more lines. Never outside."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from apps.events.rendering.errors import RenderingError
from apps.events.rendering.text.bidi import base_direction
from apps.events.rendering.text.shaping import ShapedLine, shape_identifier, shape_line

LINE_HEIGHT = 1.28
_STEP = 0.94
MOST_CHARACTERS_AN_EM = 10  # letters are wider in every script: what has more is refused without being drawn


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is set: sizes in points, at most ``lines`` lines, ``align`` one of start, center, end.

    ``shrink_first``: a long text first gets smaller and only then a second line, as suits a name; otherwise it first
    takes its lines, as suits a paragraph. ``identifier``: the text is a code of ASCII characters, set without kerning.
    """

    size: float
    min_size: float
    weight: int
    lines: int
    align: str = "start"
    shrink_first: bool = True
    identifier: bool = False


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines at one size, in points."""

    lines: list[ShapedLine]
    size: float

    @property
    def height(self) -> float:
        return len(self.lines) * self.size * LINE_HEIGHT


def fit(text: str, style: Style, width: float, height: float, language: str, right_to_left: bool) -> Fitted:
    """``text`` within ``width`` by ``height`` points.

    The text's first strong character gives its direction, ``right_to_left`` that of texts without one.
    Lines are broken at the largest size at which there is room for them.
    Raises RenderingError when even the smallest size does not hold it.
    """
    if len(text) > MOST_CHARACTERS_AN_EM * style.lines * width / style.min_size:
        raise _too_long(text)
    right_to_left = base_direction(text, right_to_left)
    paragraphs = text.split("\n")
    if len(paragraphs) == 1:
        if style.identifier and text.isascii():
            line = shape_identifier(text, style.weight)
        else:
            line = shape_line(text, style.weight, language, right_to_left)
        needed = line.width * style.size / 1000
        if needed <= width:
            return Fitted([line], style.size)
        fitting = style.size * width / needed
        if (style.shrink_first and fitting >= style.min_size) or (style.lines == 1 and fitting >= 0.8 * style.min_size):
            return Fitted([line], int(fitting * 100) / 100)
    size = style.size
    while True:
        limit = min(style.lines, int(height / (size * LINE_HEIGHT) + 0.01))
        room = width * 1000 / size
        lines = _broken(paragraphs, style, room, limit, language, right_to_left) if limit else []
        # A frame may be narrower than a single letter.
        if lines and len(lines) <= limit and all(line.width <= room for line in lines):
            return Fitted(lines, size)
        if size <= style.min_size:
            raise _too_long(text)
        size = max(style.min_size, size * _STEP)


def _too_long(text: str) -> RenderingError:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return RenderingError(f"{shown!r} ({len(text)} characters) is too long for its place on the ticket: shorten it")


def _broken(
    paragraphs: list[str], style: Style, width: float, limit: int, language: str, right_to_left: bool
) -> list[ShapedLine]:
    """All lines, or some more than ``limit`` if there are more: a text may be as long as a book."""
    lines = (_break_paragraph(paragraph, style.weight, width, language, right_to_left) for paragraph in paragraphs)
    return list(islice(chain.from_iterable(lines), limit + 1))


def _break_paragraph(text: str, weight: int, width: float, language: str, right_to_left: bool) -> Iterator[ShapedLine]:
    """Lines no wider than ``width`` (thousandths of an em), broken where the language allows, else anywhere."""
    from icu4py.breakers import CharacterBreaker, LineBreaker

    def shaped(part: str) -> ShapedLine:
        return shape_line(part.rstrip(), weight, language, right_to_left)

    is_first = True
    current = ""
    for segment in LineBreaker(text, language):
        if shaped(current + segment).width <= width:
            current += segment
            continue
        if current:
            yield shaped(current)
            is_first = False
        current = segment
        if shaped(segment).width > width:
            current = ""
            for character in CharacterBreaker(segment, language):
                if current.strip() and shaped(current + character).width > width:
                    yield shaped(current)
                    current, is_first = "", False
                current += character
    if current.strip() or is_first:
        yield shaped(current)
