"""The worker process of resvg: `python -m cloudlet.media.svg.worker FD`."""

import json
import re
from xml.etree import ElementTree

import resvg_py

from cloudlet.media.worker_pool import Reply, serve

MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 20.0
PIXELS_PER_INCH = 96
_DEFAULT_SIDE = 100.0
"""The side in pixels that resvg assumes for a file without a size."""

_LENGTH = re.compile(r"\s*(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*(px|pt|pc|mm|cm|in|em|ex|)\s*")
_UNITS = {
    "": 1.0, "px": 1.0, "pt": 96 / 72, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0, "em": 16.0, "ex": 8.0,
}  # fmt: skip
_EMBEDDED_IMAGE = re.compile(r"\s*data:image/(?:png|jpe?g|gif|webp)[;,]", re.IGNORECASE)


class RefusedError(ValueError):
    """The file cannot be drawn. The text is sent to the client."""


def draw(content: bytes, density: int, max_pixels: int) -> bytes:
    """Return the file as a PNG. Raises RefusedError."""
    root = _parse(content)
    scale = density / PIXELS_PER_INCH if density else 1.0
    width, height = (side * scale for side in _size(root))
    if width * height > max_pixels:
        raise RefusedError(f"the image is {width:.0f}x{height:.0f}; more than {max_pixels / 1e6:g} megapixels")
    _remove_external_references(root)
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=ElementTree.tostring(root, encoding="unicode"), dpi=PIXELS_PER_INCH, zoom=scale
        )
    except (ValueError, OSError) as error:
        raise RefusedError(f"the file is not a readable SVG: {error}") from error
    return bytes(drawn)


def _parse(content: bytes) -> ElementTree.Element:
    """Return the tree without its DTD. Expat limits the expansion of entities and ignores external ones."""
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - in a process with limits on memory and time
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise RefusedError(f"the file is not a readable SVG: {error}") from error
    if root.tag not in ("svg", "{http://www.w3.org/2000/svg}svg"):
        raise RefusedError("the file is not a readable SVG: its root is no svg element")
    return root


def _size(root: ElementTree.Element) -> tuple[float, float]:
    """Return width and height in pixels, as the file declares them."""
    box = [float(number) for number in re.findall(r"-?\d{1,9}(?:\.\d{1,9})?", root.get("viewBox", ""))[:4]]
    across, down = (box[2], box[3]) if len(box) == 4 and box[2] and box[3] else (_DEFAULT_SIDE, _DEFAULT_SIDE)
    width, height = _length(root.get("width")), _length(root.get("height"))
    if not width:
        width = height * across / down if height else across
    return width, height or width * down / across


def _length(text: str | None) -> float:
    """Return a length in pixels, or 0 if it is absent or relative to the page."""
    match = _LENGTH.fullmatch(text or "")
    return float(match[1]) * _UNITS[match[2]] if match else 0.0


def _remove_external_references(root: ElementTree.Element) -> None:
    """Remove all links except fragments and embedded images, because resvg would open them as local files."""
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if (
                name.rpartition("}")[2] == "href"
                and not value.lstrip().startswith("#")
                and not _EMBEDDED_IMAGE.match(value)
            ):
                del element.attrib[name]


def answer(request: bytes) -> Reply:
    """Handle a request: a line of JSON with density and limit, followed by the file."""
    head, _, content = request.partition(b"\n")
    try:
        return {}, draw(content, **json.loads(head))
    except RefusedError as refusal:
        return {"error": str(refusal)}, b""
    except (MemoryError, RecursionError):
        return {"error": "the SVG takes too much memory or time to draw"}, b""


if __name__ == "__main__":
    serve(answer, memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)
