"""Fit text into a box: at full size, else smaller, else on more lines, else shortened."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from ticketkit.rendering.errors import UndrawableTextError
from ticketkit.rendering.text.bidi import base_direction
from ticketkit.rendering.text.repair import drawable, placeholders
from ticketkit.rendering.text.shaping import ShapedLine, shape_identifier, shape_line

LINE_HEIGHT = 1.28
# Text that is too long at its style's minimum size shrinks further, down to this size, before it is shortened.
MIN_SIZE_POINTS = 6.0
_SIZE_STEP = 0.94
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_MAX_CHARACTERS_PER_EM = 10  # real text has fewer: longer text is known not to fit without shaping it
_MAX_CHARACTERS_PER_LETTER = 20
_SAMPLE_CHARACTERS = 100  # for the average width of a character


@dataclass(frozen=True, slots=True)
class Style:
    """The style of a text: sizes in points, at most ``lines`` lines, ``align`` one of start, center, end.

    With ``shrink_first`` long text shrinks before it is broken into lines, as for names; otherwise it is broken first,
    as for paragraphs. ``identifier`` marks ASCII identifiers, which are set without kerning.
    """

    size: float
    min_size: float
    weight: int
    lines: int
    align: str = "start"
    shrink_first: bool = True
    identifier: bool = False

    @property
    def max_height(self) -> float:
        """The maximum height of the text in points."""
        return max(self.size, self.lines * self.min_size) * LINE_HEIGHT


@dataclass(frozen=True, slots=True)
class Fitted:
    """Fitted lines and their size in points.

    ``is_shortened`` if the text ends in an ellipsis, ``is_repaired`` if undrawable characters were replaced.
    """

    lines: list[ShapedLine]
    size: float
    is_shortened: bool = False
    is_repaired: bool = False

    @property
    def height(self) -> float:
        """The height of all lines in points."""
        return len(self.lines) * self.size * LINE_HEIGHT

    @property
    def text(self) -> str:
        """The text that is drawn."""
        return " ".join(line.text for line in self.lines)


def fit(text: str, style: Style, width: float, height: float, language: str, right_to_left: bool) -> Fitted:
    """Return ``text`` fitted into ``width`` by ``height`` points.

    The first strong character determines the direction, ``right_to_left`` that of text without one. Lines are broken at
    the largest size at which they fit. Text that does not fit at the style's minimum size shrinks further, on more
    lines in the same height, and finally is shortened with an ellipsis.
    """
    box = _Box(style, width, height, language, base_direction(text, right_to_left))
    try:
        return box.fit(text)
    except UndrawableTextError:
        pass
    try:
        repaired = "\n".join(drawable(line, language) for line in text[: box.max_characters].split("\n"))
        fitted = box.fit(repaired, is_cut=len(text) > box.max_characters)
    except UndrawableTextError:  # drawable as a whole, but not after line breaking
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
    def min_size(self) -> float:
        return min(MIN_SIZE_POINTS, self.style.min_size)

    @property
    def max_characters(self) -> int:
        """More characters than can fit at the minimum size."""
        return int(_MAX_CHARACTERS_PER_EM * self._max_lines(self.min_size) * self.width / self.min_size) + 1

    def fit(self, text: str, is_cut: bool = False) -> Fitted:
        paragraphs = text[: self.max_characters].split("\n")
        if is_cut or len(text) > self.max_characters:
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
        """Return the text on several lines, or None. ``whole`` is its width on one line, to skip sizes early."""
        style, size = self.style, self.style.size
        while True:
            limit = self._max_lines(size)
            if size >= style.min_size:
                limit = min(style.lines, int(self.height / (size * LINE_HEIGHT) + 0.01))
            # A line is no wider than the box, and each line break removes a space.
            if len(paragraphs) <= limit and whole <= limit * (self._width_at(size) + 1000):
                lines = list(islice(self._broken(paragraphs, size), limit + 1))
                # The box may be narrower than a single letter.
                if len(lines) <= limit and all(line.width <= self._width_at(size) for line in lines):
                    return Fitted(lines, size)
            if size <= self.min_size:
                return None
            size = max(self.min_size if size <= style.min_size else style.min_size, size * _SIZE_STEP)

    def _shortened(self, paragraphs: Sequence[str]) -> Fitted:
        """Return as much text as fits at the minimum size, with an ellipsis; in tiny boxes the ellipsis alone."""
        room = self._width_at(self.min_size)
        lines: list[ShapedLine] = []
        for line in islice(self._broken(paragraphs, self.min_size), self._max_lines(self.min_size)):
            lines.append(line)
            if line.width > room:
                break
        end = lines.pop().text
        characters = self._characters(end)

        def ending(count: int) -> ShapedLine:
            return self._shape("".join(characters[:count]).rstrip() + _ELLIPSIS)

        most = len(characters)
        last = ending(_largest_fitting(most, lambda count: ending(count).width <= room, guess=most - 1))
        if last.width <= room:
            return Fitted([*lines, last], self.min_size, is_shortened=True)
        return Fitted([last], self.width * 1000 / last.width, is_shortened=True)

    def _broken(self, paragraphs: Sequence[str], size: float) -> Iterator[ShapedLine]:
        """Yield the lines lazily, because the text may be very long."""
        return chain.from_iterable(self._break(paragraph, self._width_at(size)) for paragraph in paragraphs)

    def _break(self, text: str, width: float) -> Iterator[ShapedLine]:
        """Yield lines no wider than ``width`` (1/1000 em), broken where the language allows, else anywhere."""
        from icu4py.breakers import LineBreaker

        longest = _MAX_CHARACTERS_PER_LETTER + _MAX_CHARACTERS_PER_EM * width / 1000

        def count_fitting(parts: Sequence[str]) -> int:
            """Return how many of the parts fit on a line."""

            def fits(count: int) -> bool:
                part = "".join(parts[:count]).rstrip()
                return len(part) <= longest and self._shape(part).width <= width

            return _largest_fitting(len(parts), fits, guess=_parts_of(parts, width / average))

        segments = list(LineBreaker(text, self.language))
        average = self._average_width(text[:_SAMPLE_CHARACTERS])
        at = 0
        while at < len(segments):
            count = count_fitting(segments[at : at + int(longest)])
            if count:
                line = "".join(segments[at : at + count])
                at += count
            else:
                characters = self._characters(segments[at])
                count = max(1, count_fitting(characters[: int(longest)]))
                line, segments[at] = "".join(characters[:count]), "".join(characters[count:])
                at += not segments[at].strip()
            yield self._shape(line.rstrip())
        if not segments:
            yield self._shape("")

    def _average_width(self, text: str) -> float:
        """Return the average width of a character in 1/1000 em."""
        return max(1.0, self._shape(text).width / max(1, len(text)))

    def _shape(self, text: str) -> ShapedLine:
        return shape_line(text, self.style.weight, self.language, self.right_to_left)

    def _characters(self, text: str) -> list[str]:
        from icu4py.breakers import CharacterBreaker

        return list(CharacterBreaker(text, self.language))

    def _width_at(self, size: float) -> float:
        return self.width * 1000 / size

    def _max_lines(self, size: float) -> int:
        """Return how many lines fit below the style's minimum size."""
        return max(1, int(min(self.height, self.style.max_height) / (size * LINE_HEIGHT) + 0.01))


def _parts_of(parts: Sequence[str], characters: float) -> int:
    """Return how many of the parts have about ``characters`` characters together."""
    count = 0
    while count < len(parts) and characters > 0:
        characters -= len(parts[count])
        count += 1
    return count


def _largest_fitting(count: int, fits: Callable[[int], bool], guess: int) -> int:
    """Return the largest number up to ``count`` that fits, or 0, by a binary search that starts at ``guess``.

    If a number fits, all smaller ones must fit.
    """
    good, bad, step = 0, count + 1, 1
    tried = min(max(guess, 1), count)
    while good + 1 < bad:
        if fits(tried):
            good = tried
        else:
            bad = tried
        # Exponential steps from the guess until it is bracketed, then bisection.
        if bad > count:
            tried = min(good + step, count)
        elif not good:
            tried = max(bad - step, 1)
        else:
            tried = (good + bad) // 2
        step *= 2
    return good
