"""Data classes of a page's layout. Lengths are in points, from the top left corner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ticketkit.rendering.text.fitting import Style

Frame = tuple[float, float, float, float]  # x, y, width, height
Row = tuple[tuple[str, ...], ...]  # cells side by side, each a column of elements


@dataclass(frozen=True, slots=True)
class Stack:
    """A column of rows. Empty rows take no space."""

    name: str
    frame: Frame
    gap: float
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class TextElement:
    """The style of a text. ``colour`` is ink, muted, accent or #rrggbb; ``label`` is whether its label is shown."""

    style: Style
    colour: str
    label: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a page."""

    width: float
    height: float
    colours: Mapping[str, str]
    fold: bool
    stacks: tuple[Stack, ...]
    texts: Mapping[str, TextElement]
    pictures: Mapping[str, Frame]


# Elements whose texts are identifiers, which are set without kerning.
IDENTIFIERS = ("ticket_id", "order_reference")
PICTURES = ("cover", "logo", "qr")


def build_layout(document: Mapping[str, Any]) -> Layout:
    """Return the layout of a complete, valid document, without hidden elements."""
    elements = {name: element for name, element in document["elements"].items() if element.get("show", True)}
    width, height = document["page"]["size"]
    return Layout(
        width=width,
        height=height,
        colours=document["colours"],
        fold=document["fold"],
        stacks=tuple(_stack(name, stack) for name, stack in document["stacks"].items()),
        texts={name: _text(name, element) for name, element in elements.items() if name not in PICTURES},
        pictures={name: _frame(elements[name]["frame"]) for name in PICTURES if name in elements},
    )


def _frame(values: Sequence[float]) -> Frame:
    x, y, width, height = values
    return x, y, width, height


def _stack(name: str, document: Mapping[str, Any]) -> Stack:
    rows = tuple(tuple((cell,) if isinstance(cell, str) else tuple(cell) for cell in row) for row in document["rows"])
    return Stack(name, _frame(document["frame"]), document["gap"], rows)


def _text(name: str, document: Mapping[str, Any]) -> TextElement:
    size, weight = document["size"], round(document["weight"])
    smallest = min(size, document["min_size"])
    style = Style(
        size, smallest, weight, document["lines"], document.get("align", "start"), identifier=name in IDENTIFIERS
    )
    return TextElement(style, document.get("colour", "ink"), document.get("label", False))
