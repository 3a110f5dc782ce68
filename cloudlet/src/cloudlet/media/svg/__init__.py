"""Rasterise SVG files.

resvg runs in a worker process, because untrusted files can make it allocate without bounds, which aborts a process
written in Rust. A bad file costs one worker, and its uploader gets an error.
"""

import atexit
import json

from cloudlet.media.worker_pool import WorkerLostError, WorkerPool

_HEAD_BYTES = 4096
_AFTER_SVG = (b" ", b"\t", b"\r", b"\n", b">")

_workers = WorkerPool(
    "cloudlet.media.svg.worker", size=1
)  # each image worker has its own, and uses it for one file at a time
atexit.register(_workers.close)


class SvgError(ValueError):
    """The file is not a readable SVG, or drawing it takes too much time or memory."""


def is_svg(content: bytes) -> bool:
    """Return whether a file starts like an SVG."""
    return svg_tag(content[:_HEAD_BYTES]) is not None


def svg_tag(head: bytes) -> bytes | None:
    """Return the attributes in the ``<svg ...>`` at the start of a file, or None if it starts with anything else.

    XML declaration, comments and document types may come before. It takes linear time.
    """
    rest = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"<?", b"<!")):
        if rest.startswith(b"<!DOCTYPE") and b"[" in rest.partition(b">")[0]:
            rest = rest.partition(b"]")[2]  # skips the internal subset, which some drawing programs write
        end = b"-->" if rest.startswith(b"<!--") else b"?>" if rest.startswith(b"<?") else b">"
        _, closed, rest = rest.partition(end)
        if not closed:
            return None
        rest = rest.lstrip()
    if rest[:4].lower() != b"<svg" or rest[4:5] not in _AFTER_SVG:
        return None
    return rest[4:].partition(b">")[0]


def rasterize(content: bytes, density: int | None, max_pixels: int) -> bytes:
    """Return an SVG as a PNG in its own size, or at `density` dots per inch. Raises SvgError.

    External references are not read.
    """
    head = json.dumps({"density": density or 0, "max_pixels": max_pixels}).encode()
    try:
        answer, picture = _workers.ask(head + b"\n" + content)
    except WorkerLostError as error:
        raise SvgError("the SVG takes too much memory or time to draw") from error
    if "error" in answer:
        raise SvgError(answer["error"])
    return picture
