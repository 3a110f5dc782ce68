"""SVG files as pictures.

resvg draws them, in a process of its own: what strangers upload can make it allocate without bounds, which ends a
process written in Rust. A bad file costs that process, and its sender an error.
"""

import atexit
import json

from cloudlet.media.worker_pool import WorkerLostError, WorkerPool

_HEAD_BYTES = 4096
_AFTER_SVG = (b" ", b"\t", b"\r", b"\n", b">")

_workers = WorkerPool("cloudlet.media.svg.worker", size=1)  # asked by the workers of pictures, one file at a time
atexit.register(_workers.close)


class SvgError(ValueError):
    """The file is no SVG that can be drawn, or drawing it takes too much."""


def is_svg(content: bytes) -> bool:
    """Return whether a file begins as an SVG does."""
    return svg_tag(content[:_HEAD_BYTES]) is not None


def svg_tag(head: bytes) -> bytes | None:
    """Return what stands in the ``<svg ...>`` that a file begins with; None when it begins with anything else.

    XML declaration, comments and document types may come before; nothing is tried twice.
    """
    rest = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"<?", b"<!")):
        if rest.startswith(b"<!DOCTYPE") and b"[" in rest.partition(b">")[0]:
            rest = rest.partition(b"]")[2]  # behind its own declarations, which programs for drawing write
        end = b"-->" if rest.startswith(b"<!--") else b"?>" if rest.startswith(b"<?") else b">"
        _, closed, rest = rest.partition(end)
        if not closed:
            return None
        rest = rest.lstrip()
    if rest[:4].lower() != b"<svg" or rest[4:5] not in _AFTER_SVG:
        return None
    return rest[4:].partition(b">")[0]


def rasterize(content: bytes, density: int | None, max_pixels: int) -> bytes:
    """Return an SVG as a PNG of its own size, at `density` dots per inch if given. Raises SvgError.

    Nothing that it refers to outside of itself is read.
    """
    head = json.dumps({"density": density or 0, "max_pixels": max_pixels}).encode()
    try:
        answer, picture = _workers.ask(head + b"\n" + content)
    except WorkerLostError as error:
        raise SvgError("the SVG takes too much memory or time to draw") from error
    if "error" in answer:
        raise SvgError(answer["error"])
    return picture
