"""Puts the texts of a ticket into the layout: every block gets its place in points from the top left corner."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from apps.events.rendering.errors import RenderingError
from apps.events.rendering.layout.model import Layout, Stack
from apps.events.rendering.text.fitting import LINE_HEIGHT, Fitted, Style, fit

LABEL_STYLE = Style(8.5, 5.5, 400, 1)
_GUTTER = 20.0
_SHRINK = 0.93
_ENDLESS = 10_000.0


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
class Setting:
    """The language that texts are set in."""

    language: str
    right_to_left: bool


def place_texts(
    layout: Layout, texts: Mapping[str, str], labels: Mapping[str, str], present: frozenset[str], setting: Setting
) -> list[Block]:
    """Blocks in reading order: ``texts`` are the event's, ``present`` names the ticket's elements that have text."""
    blocks: list[Block] = []
    for stack in layout.stacks:
        blocks.extend(_fill_stack(layout, stack, texts, labels, present, setting))
    if setting.right_to_left:
        return [replace(block, x=layout.width - block.x - block.width) for block in blocks]
    return blocks


def _fill_stack(
    layout: Layout,
    stack: Stack,
    texts: Mapping[str, str],
    labels: Mapping[str, str],
    present: frozenset[str],
    setting: Setting,
) -> list[Block]:
    """The stack's blocks, with the event's texts set smaller if that is what makes them fit."""
    scale = 1.0
    while True:
        filler = _Filler(layout, texts, labels, present, setting, scale)
        blocks, height = filler.fill(stack)
        if height <= stack.frame[3] + 0.5:
            return blocks
        if scale < 0.5:
            raise RenderingError(
                f"stacks/{stack.name}: the texts need {height:.0f} pt but the frame is {stack.frame[3]:g} pt high: "
                "shorten the texts or enlarge the frame"
            )
        scale *= _SHRINK


@dataclass(frozen=True, slots=True)
class _Filler:
    layout: Layout
    texts: Mapping[str, str]
    labels: Mapping[str, str]
    present: frozenset[str]
    setting: Setting
    scale: float

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
            cell_width = (width - _GUTTER * (len(cells) - 1)) / len(cells)
            lowest = bottom
            for place, names in enumerate(cells):
                cell, cell_bottom = self._fill_cell(names, x + place * (cell_width + _GUTTER), bottom, cell_width)
                blocks.extend(cell)
                lowest = max(lowest, cell_bottom)
            bottom = lowest
        return blocks, bottom - top

    def _has_text(self, name: str) -> bool:
        return name in self.layout.texts and (name in self.texts or name in self.present)

    def _fill_cell(self, names: list[str], x: float, top: float, width: float) -> tuple[list[Block], float]:
        blocks: list[Block] = []
        for name in names:
            element = self.layout.texts[name]
            if element.label and name in self.labels:
                label = self._fit(name, self.labels[name], LABEL_STYLE, width)
                blocks.append(Block(name, True, x, top, width, label.height, LABEL_STYLE, label))
                top += label.height + 1
            style = element.style
            if name in self.texts:
                style = self._scaled(style)
                fitted = self._fit(name, self.texts[name], style, width)
                blocks.append(Block(name, False, x, top, width, fitted.height, style, fitted))
                top += fitted.height
            else:
                height = max(style.size, style.lines * style.min_size) * LINE_HEIGHT
                blocks.append(Block(name, False, x, top, width, height, style, None))
                top += height
        return blocks, top

    def _scaled(self, style: Style) -> Style:
        return replace(style, size=max(style.min_size, style.size * self.scale), shrink_first=False)

    def _fit(self, name: str, text: str, style: Style, width: float) -> Fitted:
        try:
            return fit(text, style, width, _ENDLESS, self.setting.language, self.setting.right_to_left)
        except RenderingError as error:
            raise RenderingError(f"{name}: {error}") from error
