"""Place a ticket's texts in the layout, in points from the top left corner."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ticketkit.rendering.layout.model import Layout, Stack
from ticketkit.rendering.text.fitting import Fitted, Style, fit

LABEL_STYLE = Style(8.5, 5.5, 400, 1)
_GUTTER_POINTS = 20.0
_SCALE_STEP = 0.93
_MIN_SCALE = 0.5
_UNLIMITED_POINTS = 10_000.0
_MAX_QUOTED_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Block:
    """A text with its position. ``fitted`` is None if the text differs between tickets."""

    element: str
    is_label: bool
    x: float
    top: float
    width: float
    height: float
    style: Style
    fitted: Fitted | None


@dataclass(frozen=True, slots=True)
class AlteredText:
    """A text that a ticket does not show as written: shortened, or with characters that no font has replaced.

    ``drawn`` is what the ticket shows. ``str()`` gives a message for the organiser.
    """

    element: str
    written: str
    drawn: str
    is_shortened: bool

    def __str__(self) -> str:
        text = self.written
        shown = repr(text if len(text) <= _MAX_QUOTED_CHARACTERS else text[: _MAX_QUOTED_CHARACTERS - 3] + "...")
        if self.is_shortened:
            return (
                f"{self.element}: {shown} ({len(text)} characters) is too long for its place on the ticket: shorten it"
            )
        return f"{self.element}: not every character of {shown} can be printed: tickets show {self.drawn!r}"


@dataclass(frozen=True, slots=True)
class TextLanguage:
    """The language of a page: a BCP 47 tag, and its direction."""

    tag: str
    right_to_left: bool


def place_texts(
    layout: Layout, texts: Mapping[str, str], labels: Mapping[str, str], present: frozenset[str], language: TextLanguage
) -> tuple[list[Block], list[str]]:
    """Return the blocks in reading order, and warnings about texts that do not fit or are altered.

    ``texts`` are the event's, ``present`` the names of the ticket's own elements that have text.
    """
    blocks: list[Block] = []
    warnings: list[str] = []
    for stack in layout.stacks:
        own, needed = _fill_stack(stack, _Filler(layout, texts, labels, present, language))
        blocks.extend(own)
        for block in own:
            if block.fitted and not block.is_label:
                warnings += map(str, filter(None, [altered_text(block.element, texts[block.element], block.fitted)]))
        if needed:
            warnings.append(
                f"stacks/{stack.name}: the texts need {needed:.0f} pt but the frame is {stack.frame[3]:g} pt high: "
                "shorten the texts or enlarge the frame"
            )
    if language.right_to_left:
        blocks = [replace(block, x=layout.width - block.x - block.width) for block in blocks]
    return blocks, warnings


def altered_text(element: str, text: str, fitted: Fitted) -> AlteredText | None:
    """Return what the ticket shows instead of a text, or None if it shows the text as written."""
    if fitted.is_shortened or fitted.is_repaired:
        return AlteredText(element, text, fitted.text, fitted.is_shortened)
    return None


def _fill_stack(stack: Stack, filler: "_Filler") -> tuple[list[Block], float]:
    """Return the stack's blocks, and the height that they would have needed, or 0 if they fit.

    To fit, first the event's texts are set smaller, then the tallest of them lose lines, and finally the whole stack is
    scaled down.
    """
    room = stack.frame[3] + 0.5
    blocks, height = filler.fill(stack)
    if min(stack.frame[2:]) < 1:  # smaller than a point: nothing can be drawn
        return [], max(height, 1.0) if blocks else 0.0
    while height > room and filler.scale >= _MIN_SCALE:
        filler.scale *= _SCALE_STEP
        blocks, height = filler.fill(stack)
    needed = 0.0 if height <= room else height
    while height > room and filler.remove_line(blocks):
        blocks, height = filler.fill(stack)
    return (blocks if height <= room else _scaled_down(blocks, stack, height)), needed


def _scaled_down(blocks: list[Block], stack: Stack, height: float) -> list[Block]:
    """Return the blocks scaled down so that all are inside the stack's frame."""
    top, share = stack.frame[1], stack.frame[3] / height
    return [
        replace(
            block,
            top=top + (block.top - top) * share,
            height=block.height * share,
            style=replace(block.style, size=block.style.size * share, min_size=block.style.min_size * share),
            fitted=block.fitted and replace(block.fitted, size=block.fitted.size * share),
        )
        for block in blocks
    ]


@dataclass(slots=True)
class _Filler:
    """Fills a stack. ``scale`` applies to the event's texts; ``lines`` overrides the number of lines of elements."""

    layout: Layout
    texts: Mapping[str, str]
    labels: Mapping[str, str]
    present: frozenset[str]
    language: TextLanguage
    scale: float = 1.0
    lines: dict[str, int] = field(default_factory=dict)
    _fitted: dict[tuple[object, ...], Fitted] = field(default_factory=dict)

    def fill(self, stack: Stack) -> tuple[list[Block], float]:
        x, top, width, _ = stack.frame
        blocks: list[Block] = []
        bottom = top
        for row in stack.rows:
            cells = [names for cell in row if (names := [name for name in cell if self._has_text(name)])]
            if not cells:
                continue
            if bottom > top:
                bottom += stack.gap
            gutter = min(_GUTTER_POINTS, width / (2 * len(cells)))
            cell_width = (width - gutter * (len(cells) - 1)) / len(cells)
            lowest = bottom
            for place, names in enumerate(cells):
                cell, cell_bottom = self._fill_cell(names, x + place * (cell_width + gutter), bottom, cell_width)
                blocks.extend(cell)
                lowest = max(lowest, cell_bottom)
            bottom = lowest
        return blocks, bottom - top

    def remove_line(self, blocks: list[Block]) -> bool:
        """Reduce the lines of the tallest of the event's texts by one. Return False if all have only one line."""
        lines = {block.element: block.style.lines for block in blocks if not block.is_label and block.fitted}
        heights = {
            block.element: block.height for block in blocks if not block.is_label and lines.get(block.element, 1) > 1
        }
        if not heights:
            return False
        tallest = max(heights, key=heights.__getitem__)
        self.lines[tallest] = lines[tallest] - 1
        return True

    def _has_text(self, name: str) -> bool:
        return name in self.layout.texts and (name in self.texts or name in self.present)

    def _fill_cell(self, names: list[str], x: float, top: float, width: float) -> tuple[list[Block], float]:
        blocks: list[Block] = []
        for name in names:
            element = self.layout.texts[name]
            if element.label and name in self.labels:
                label = self._fit(self.labels[name], LABEL_STYLE, width)
                blocks.append(Block(name, True, x, top, width, label.height, LABEL_STYLE, label))
                top += label.height + 1
            style = element.style
            if name in self.texts:
                style = self._scaled(name, style)
                fitted = self._fit(self.texts[name], style, width)
                blocks.append(Block(name, False, x, top, width, fitted.height, style, fitted))
                top += fitted.height
            else:
                blocks.append(Block(name, False, x, top, width, style.max_height, style, None))
                top += style.max_height
        return blocks, top

    def _scaled(self, name: str, style: Style) -> Style:
        size = max(style.min_size, style.size * self.scale)
        return replace(style, size=size, lines=self.lines.get(name, style.lines), shrink_first=False)

    def _fit(self, text: str, style: Style, width: float) -> Fitted:
        # Cache key: below the minimum size of a style, the result depends on the room only, not on the initial size.
        keys = (text, style, width), (text, replace(style, size=0.0), width, style.max_height)
        found = self._fitted.get(keys[0]) or self._fitted.get(keys[1])
        if found is None:
            language = self.language
            found = fit(text, style, width, _UNLIMITED_POINTS, language.tag, language.right_to_left)
            self._fitted[keys[found.size < style.min_size]] = found
        return found
