"""Fits text into a box: at its full size if it can, then smaller, then on more lines, then shortened. Never outside."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from ticketkit.rendering.errors import UndrawableTextError
from ticketkit.rendering.text.bidi import base_direction
from ticketkit.rendering.text.repair import drawable, placeholders
from ticketkit.rendering.text.shaping import ShapedLine, shape_identifier, shape_line

LINE_HEIGHT = 1.28
# Points. What is too long at the smallest size of its layout goes on shrinking down to this, before it is shortened.
LEAST_SIZE = 6.0
_STEP = 0.94
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_MOST_CHARACTERS_AN_EM = 10  # letters are wider in every script: what has more does not fit, without being drawn
_MOST_CHARACTERS_A_LETTER = 20
_SAMPLE = 100  # characters that tell about how many fit on a line


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

    @property
    def room(self) -> float:
        """The height that the text may take."""
        return max(self.size, self.lines * self.min_size) * LINE_HEIGHT


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines at one size, in points; whether the text ends in an ellipsis, and whether it is drawn as another one."""

    lines: list[ShapedLine]
    size: float
    is_shortened: bool = False
    is_repaired: bool = False

    @property
    def height(self) -> float:
        return len(self.lines) * self.size * LINE_HEIGHT

    @property
    def text(self) -> str:
        """What is drawn."""
        return " ".join(line.text for line in self.lines)


def fit(text: str, style: Style, width: float, height: float, language: str, right_to_left: bool) -> Fitted:
    """``text`` within ``width`` by ``height`` points, whatever it is.

    The text's first strong character gives its direction, ``right_to_left`` that of texts without one.
    Lines are broken at the largest size at which there is room for them. What does not fit at the smallest size of the
    style gets smaller still and takes more lines in the same room; then it ends in an ellipsis.
    """
    box = _Box(style, width, height, language, base_direction(text, right_to_left))
    try:
        return box.fit(text)
    except UndrawableTextError:
        pass
    try:
        repaired = "\n".join(drawable(line, language) for line in text[: box.most].split("\n"))
        fitted = box.fit(repaired, is_cut=len(text) > box.most)
    except UndrawableTextError:  # what can be drawn as a whole, but not on the lines that it is broken into
        fitted = box.fit(placeholders(text))
    return replace(fitted, is_repaired=True)


@dataclass(frozen=True, slots=True)
class _Box:
    style: Style
    width: float
    height: float
    language: str
    right_to_left: bool

    @property
    def least(self) -> float:
        return min(LEAST_SIZE, self.style.min_size)

    @property
    def most(self) -> int:
        """More characters than there is room for at the smallest size."""
        return int(_MOST_CHARACTERS_AN_EM * self._most_lines(self.least) * self.width / self.least) + 1

    def fit(self, text: str, is_cut: bool = False) -> Fitted:
        paragraphs = text[: self.most].split("\n")
        if is_cut or len(text) > self.most:
            return self._shortened(paragraphs)
        if len(paragraphs) > 1:
            whole = sum([self._shape(paragraph).width for paragraph in paragraphs])
        else:
            is_code = self.style.identifier and text.isascii()
            line = shape_identifier(text, self.style.weight) if is_code else self._shape(text)
            if fitted := self._on_one_line(line):
                return fitted
            whole = line.width
        return self._on_lines(paragraphs, whole) or self._shortened(paragraphs)

    def _on_one_line(self, line: ShapedLine) -> Fitted | None:
        style, needed = self.style, line.width * self.style.size / 1000
        if needed <= self.width:
            return Fitted([line], style.size)
        fitting = style.size * self.width / needed
        if (style.shrink_first and fitting >= style.min_size) or (style.lines == 1 and fitting >= 0.8 * style.min_size):
            return Fitted([line], int(fitting * 100) / 100)
        return None

    def _on_lines(self, paragraphs: Sequence[str], whole: int) -> Fitted | None:
        """``whole`` is the width of all the text in one line: sizes that it rules out are not tried."""
        style, size = self.style, self.style.size
        while True:
            limit = self._most_lines(size)
            if size >= style.min_size:
                limit = min(style.lines, int(self.height / (size * LINE_HEIGHT) + 0.01))
            # Lines are as wide as the place at most, and lose a space each.
            if len(paragraphs) <= limit and whole <= limit * (self._width_at(size) + 1000):
                lines = list(islice(self._broken(paragraphs, size), limit + 1))
                # A frame may be narrower than a single letter.
                if len(lines) <= limit and all(line.width <= self._width_at(size) for line in lines):
                    return Fitted(lines, size)
            if size <= self.least:
                return None
            size = max(self.least if size <= style.min_size else style.min_size, size * _STEP)

    def _shortened(self, paragraphs: Sequence[str]) -> Fitted:
        """As much as there is room for at the smallest size, and an ellipsis; in the smallest places that alone."""
        room = self._width_at(self.least)
        lines: list[ShapedLine] = []
        for line in islice(self._broken(paragraphs, self.least), self._most_lines(self.least)):
            lines.append(line)
            if line.width > room:
                break
        end = lines.pop().text
        characters = self._characters(end)

        def ending(count: int) -> ShapedLine:
            return self._shape("".join(characters[:count]).rstrip() + _ELLIPSIS)

        last = ending(_most(len(characters), lambda count: ending(count).width <= room, guess=len(characters) - 1))
        if last.width <= room:
            return Fitted([*lines, last], self.least, is_shortened=True)
        return Fitted([last], self.width * 1000 / last.width, is_shortened=True)

    def _broken(self, paragraphs: Sequence[str], size: float) -> Iterator[ShapedLine]:
        """The lines, one by one: a text may be as long as a book."""
        return chain.from_iterable(self._break(paragraph, self._width_at(size)) for paragraph in paragraphs)

    def _break(self, text: str, width: float) -> Iterator[ShapedLine]:
        """Lines no wider than ``width`` (thousandths of an em), broken where the language allows, else anywhere."""
        from icu4py.breakers import LineBreaker

        longest = _MOST_CHARACTERS_A_LETTER + _MOST_CHARACTERS_AN_EM * width / 1000

        def most(parts: Sequence[str]) -> int:
            """How many of the parts fit on a line."""

            def fits(count: int) -> bool:
                part = "".join(parts[:count]).rstrip()
                return len(part) <= longest and self._shape(part).width <= width

            return _most(len(parts), fits, guess=_parts_of(parts, width / average))

        segments = list(LineBreaker(text, self.language))
        average = self._average_width(text[:_SAMPLE])
        at = 0
        while at < len(segments):
            count = most(segments[at : at + int(longest)])
            if count:
                line = "".join(segments[at : at + count])
                at += count
            else:
                characters = self._characters(segments[at])
                count = max(1, most(characters[: int(longest)]))
                line, segments[at] = "".join(characters[:count]), "".join(characters[count:])
                at += not segments[at].strip()
            yield self._shape(line.rstrip())
        if not segments:
            yield self._shape("")

    def _average_width(self, text: str) -> float:
        """The width of a character, in thousandths of an em."""
        return max(1.0, self._shape(text).width / max(1, len(text)))

    def _shape(self, text: str) -> ShapedLine:
        return shape_line(text, self.style.weight, self.language, self.right_to_left)

    def _characters(self, text: str) -> list[str]:
        from icu4py.breakers import CharacterBreaker

        return list(CharacterBreaker(text, self.language))

    def _width_at(self, size: float) -> float:
        return self.width * 1000 / size

    def _most_lines(self, size: float) -> int:
        """How many lines there is room for below the style's smallest size."""
        return max(1, int(min(self.height, self.style.room) / (size * LINE_HEIGHT) + 0.01))


def _parts_of(parts: Sequence[str], characters: float) -> int:
    """How many of the parts make about so many characters."""
    count = 0
    while count < len(parts) and characters > 0:
        characters -= len(parts[count])
        count += 1
    return count


def _most(count: int, fits: Callable[[int], bool], guess: int) -> int:
    """The largest number up to ``count`` that fits, or 0. Where one fits, all smaller ones do."""
    good, bad, step = 0, count + 1, 1
    tried = min(max(guess, 1), count)
    while good + 1 < bad:
        if fits(tried):
            good = tried
        else:
            bad = tried
        # Away from the guess in growing steps until it is between two numbers, then to their middle.
        if bad > count:
            tried = min(good + step, count)
        elif not good:
            tried = max(bad - step, 1)
        else:
            tried = (good + bad) // 2
        step *= 2
    return good
