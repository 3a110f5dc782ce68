"""Load built-in layouts and apply an organiser's changes to them.

Changes are a JSON document that conforms to ``schema.json``; what they omit keeps its built-in value. A layout that
cannot work is rejected with the path of the error.
"""

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.layout.model import Frame, Layout, build_layout

# Width of the code with its quiet zone: 45 mm scans at arm's length, and when printed at 60 dpi.
MIN_CODE_EDGE_POINTS = 128.0
MIN_PICTURE_EDGE_POINTS = 16.0
_RETIRED_ELEMENT = "number"  # stored layouts of earlier versions may still name it; ignored
MAX_MESSAGE_CHARACTERS = 300  # messages quote the document, which can be of any length


def load_layout(changes: Mapping[str, Any] | None = None) -> Layout:
    """Return the built-in layout that ``changes`` name (``a4`` by default), with the changes applied.

    Raises RenderingError, with the path of the error, for changes that do not conform to the schema or cannot work.
    """
    if not changes:
        return build_layout(_built_in("a4"))
    _check_schema(changes)
    base = _built_in(changes.get("base", "a4"))
    document = _merged(base, {name: value for name, value in changes.items() if name != "base"})
    document["stacks"] = {name: stack for name, stack in document["stacks"].items() if stack is not None}
    for name, stack in document["stacks"].items():
        for key in ("frame", "gap", "rows"):
            if key not in stack:
                raise RenderingError(f"layout: stacks/{name}/{key} is missing: a new stack needs frame, gap and rows")
    document["elements"].pop(_RETIRED_ELEMENT, None)
    layout = build_layout(document)
    _check_placement(layout)
    return layout


def layout_schema() -> dict[str, Any]:
    """Return the JSON Schema of layout changes."""
    return _read("schema")


def built_in_layouts() -> dict[str, dict[str, Any]]:
    """Return the complete built-in layouts by name."""
    return {name: _read(name) for name in layout_schema()["properties"]["base"]["enum"]}


@cache
def _built_in(name: str) -> dict[str, Any]:
    return _read(name)


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(__file__).with_name(f"{name}.json").read_text("utf-8"))
    return document


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def _check_schema(changes: Mapping[str, Any]) -> None:
    # Imported lazily: it takes a tenth of a second, and most events use a built-in layout.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        for path, value in _numbers(changes):
            if not math.isfinite(value):
                raise RenderingError(f"layout: {path}: {value} is not a number that can be drawn")
        error = best_match(Draft202012Validator(layout_schema()).iter_errors(changes))
    except RecursionError:
        raise RenderingError("layout: the document: it is nested too deeply") from None
    if error is not None:
        path = "/".join(str(step) for step in error.absolute_path) or "the document"
        raise RenderingError(f"layout: {path}: {error.message}"[:MAX_MESSAGE_CHARACTERS])


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield every float with its path. JSON has neither infinity nor NaN, but Python's ``json`` accepts both."""
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, Mapping | list):
        for name, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _numbers(inner, f"{path}/{name}".lstrip("/"))


def _check_placement(layout: Layout) -> None:
    frames = {f"elements/{name}/frame": frame for name, frame in layout.pictures.items()}
    frames |= {f"stacks/{stack.name}/frame": stack.frame for stack in layout.stacks}
    for path, frame in frames.items():
        if frame[0] + frame[2] > layout.width + 0.5 or frame[1] + frame[3] > layout.height + 0.5:
            size = f"{layout.width:g} by {layout.height:g} pt"
            raise RenderingError(f"layout: {path}: reaches beyond the page of {size}: move it or make it smaller")
    _check_pictures(layout, frames)
    placed: set[str] = set()
    for path, name in _placed_elements(layout):
        if name in placed:
            raise RenderingError(f"layout: {path}: {name} already stands somewhere else: name it once")
        placed.add(name)
    if "title" not in placed or "title" not in layout.texts:
        raise RenderingError("layout: stacks: no row shows the title: add it to one and leave it visible")


def _check_pictures(layout: Layout, frames: Mapping[str, Frame]) -> None:
    """Raise RenderingError if the code or a picture is too small, or if one of ``frames`` overlaps the code."""
    code = layout.pictures["qr"]
    if min(code[2:]) < MIN_CODE_EDGE_POINTS:
        raise RenderingError(
            f"layout: elements/qr/frame: a code needs {MIN_CODE_EDGE_POINTS:g} pt each way to be scanned"
        )
    for name, frame in layout.pictures.items():
        if min(frame[2:]) < MIN_PICTURE_EDGE_POINTS:
            least = f"a picture needs {MIN_PICTURE_EDGE_POINTS:g} pt each way: enlarge it, or set show to false"
            raise RenderingError(f"layout: elements/{name}/frame: {least}")
    for path, frame in frames.items():
        if frame is not code and _overlap(frame, code):
            raise RenderingError(f"layout: {path}: lies on the code at {list(code)}: move one of them")


def _placed_elements(layout: Layout) -> Iterator[tuple[str, str]]:
    for stack in layout.stacks:
        for n, row in enumerate(stack.rows):
            for cell in row:
                for name in cell:
                    yield f"stacks/{stack.name}/rows/{n}", name


def _overlap(one: Frame, other: Frame) -> bool:
    across = one[0] < other[0] + other[2] and other[0] < one[0] + one[2]
    return across and one[1] < other[1] + other[3] and other[1] < one[1] + one[3]
