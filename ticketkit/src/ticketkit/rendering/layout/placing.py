"""Puts the texts of a ticket into the layout: every block gets its place in points from the top left corner."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ticketkit.rendering.layout.model import Layout, Stack
from ticketkit.rendering.text.fitting import Fitted, Style, fit

LABEL_STYLE = Style(8.5, 5.5, 400, 1)
_GUTTER = 20.0
_SHRINK = 0.93
_SMALLEST_SCALE = 0.5
_ENDLESS = 10_000.0
_QUOTED = 60  # characters


@dataclass(frozen=True, slots=True)
class Block:
    """A text at its place. ``fitted`` is None when the text differs from ticket to ticket."""

    element: str
    is_label: bool
    x: float
    top: float
    width: float
    height: float
    style: Style
    fitted: Fitted | None


@dataclass(frozen=True, slots=True)
class Compromise:
    """A text that a ticket shows otherwise than it is written: for want of room, or of characters in the fonts."""

    element: str
    written: str
    drawn: str
    is_shortened: bool

    def __str__(self) -> str:
        text = self.written
        shown = repr(text if len(text) <= _QUOTED else text[: _QUOTED - 3] + "...")
        if self.is_shortened:
            return (
                f"{self.element}: {shown} ({len(text)} characters) is too long for its place on the ticket: shorten it"
            )
        return f"{self.element}: not every character of {shown} can be printed: tickets show {self.drawn!r}"


@dataclass(frozen=True, slots=True)
class Setting:
    """The language that texts are set in."""

    language: str
    right_to_left: bool


def place_texts(
    layout: Layout, texts: Mapping[str, str], labels: Mapping[str, str], present: frozenset[str], setting: Setting
) -> tuple[list[Block], list[str]]:
    """Blocks in reading order, and in words what is not drawn as it is meant.

    ``texts`` are the event's, ``present`` names the ticket's elements that have text.
    """
    blocks: list[Block] = []
    complaints: list[str] = []
    for stack in layout.stacks:
        own, needed = _fill_stack(stack, _Filler(layout, texts, labels, present, setting))
        blocks.extend(own)
        for block in own:
            if block.fitted and not block.is_label:
                complaints += map(str, filter(None, [compromise(block.element, texts[block.element], block.fitted)]))
        if needed:
            complaints.append(
                f"stacks/{stack.name}: the texts need {needed:.0f} pt but the frame is {stack.frame[3]:g} pt high: "
                "shorten the texts or enlarge the frame"
            )
    if setting.right_to_left:
        blocks = [replace(block, x=layout.width - block.x - block.width) for block in blocks]
    return blocks, complaints


def compromise(element: str, text: str, fitted: Fitted) -> Compromise | None:
    """What the ticket shows in place of a text; None if it shows the text as it is written."""
    if fitted.is_shortened or fitted.is_repaired:
        return Compromise(element, text, fitted.text, fitted.is_shortened)
    return None


def _fill_stack(stack: Stack, filler: "_Filler") -> tuple[list[Block], float]:
    """The stack's blocks, and the height that they would have needed; 0 if there is room for them.

    The event's texts are set smaller if that is what makes them fit. If it is not enough, the longest of them lose
    lines; and what still does not fit is drawn smaller as a whole.
    """
    room = stack.frame[3] + 0.5
    blocks, height = filler.fill(stack)
    if min(stack.frame[2:]) < 1:  # a point
        return [], max(height, 1.0) if blocks else 0.0
    while height > room and filler.scale >= _SMALLEST_SCALE:
        filler.scale *= _SHRINK
        blocks, height = filler.fill(stack)
    needed = 0.0 if height <= room else height
    while height > room and filler.take_a_line(blocks):
        blocks, height = filler.fill(stack)
    return (blocks if height <= room else _squeezed(blocks, stack, height)), needed


def _squeezed(blocks: list[Block], stack: Stack, height: float) -> list[Block]:
    """The blocks, smaller and closer together, so that all are inside the stack's frame."""
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
    """Fills one stack. ``scale`` is that of the event's texts, ``lines`` how many they may take where that is fewer."""

    layout: Layout
    texts: Mapping[str, str]
    labels: Mapping[str, str]
    present: frozenset[str]
    setting: Setting
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
            gutter = min(_GUTTER, width / (2 * len(cells)))
            cell_width = (width - gutter * (len(cells) - 1)) / len(cells)
            lowest = bottom
            for place, names in enumerate(cells):
                cell, cell_bottom = self._fill_cell(names, x + place * (cell_width + gutter), bottom, cell_width)
                blocks.extend(cell)
                lowest = max(lowest, cell_bottom)
            bottom = lowest
        return blocks, bottom - top

    def take_a_line(self, blocks: list[Block]) -> bool:
        """Let the highest of the event's texts that has several lines have one less; False if there is none."""
        lines = {block.element: block.style.lines for block in blocks if not block.is_label and block.fitted}
        heights = {
            block.element: block.height for block in blocks if not block.is_label and lines.get(block.element, 1) > 1
        }
        if not heights:
            return False
        highest = max(heights, key=heights.__getitem__)
        self.lines[highest] = lines[highest] - 1
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
                blocks.append(Block(name, False, x, top, width, style.room, style, None))
                top += style.room
        return blocks, top

    def _scaled(self, name: str, style: Style) -> Style:
        size = max(style.min_size, style.size * self.scale)
        return replace(style, size=size, lines=self.lines.get(name, style.lines), shrink_first=False)

    def _fit(self, text: str, style: Style, width: float) -> Fitted:
        # Below the smallest size of the style it does not matter where the search began: only the room counts.
        keys = (text, style, width), (text, replace(style, size=0.0), width, style.room)
        found = self._fitted.get(keys[0]) or self._fitted.get(keys[1])
        if found is None:
            setting = self.setting
            found = fit(text, style, width, _ENDLESS, setting.language, setting.right_to_left)
            self._fitted[keys[found.size < style.min_size]] = found
        return found
