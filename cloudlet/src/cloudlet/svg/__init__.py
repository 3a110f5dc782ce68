"""SVG files as pictures.

resvg draws them, in a process of its own: what strangers upload can make it allocate without bounds, which ends a
process written in Rust. A bad file costs that process, and its sender an error.
"""

import atexit
import json
import re

from cloudlet.workers import WorkerLostError, WorkerPool

_SVG = re.compile(rb"<(?:\w{1,30}:)?svg[\s>/]")
_HEAD_BYTES = 4096

_workers = WorkerPool("cloudlet.svg.worker", size=1)  # asked by the workers of pictures, one file at a time
atexit.register(_workers.close)


class SvgError(ValueError):
    """The file is no SVG that can be drawn, or drawing it takes too much."""


def is_svg(content: bytes) -> bool:
    """Return whether a file begins as an SVG does."""
    head = content[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and _SVG.search(head) is not None


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
