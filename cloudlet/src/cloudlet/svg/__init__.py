"""SVG files as pictures.

resvg draws them, in a process of its own for each: what strangers upload can make it allocate without bounds, which
ends a process written in Rust. A bad file costs that process, and its sender an error.
"""

import re
import subprocess
import sys

TIMEOUT_SECONDS = 20
REFUSED = 3
"""The worker's exit code when standard output is not a picture but the reason why there is none."""

_SVG = re.compile(rb"<(?:\w{1,30}:)?svg[\s>/]")
_HEAD_BYTES = 4096


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
    command = [sys.executable, "-m", "cloudlet.svg.worker", str(density or 0), str(max_pixels)]
    try:
        done = subprocess.run(  # noqa: S603 - numbers only
            command, input=content, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SvgError("the SVG took too long to draw") from error
    if done.returncode == REFUSED:
        raise SvgError(done.stdout.decode(errors="replace"))
    if done.returncode:
        raise SvgError("the SVG takes too much memory or time to draw")
    return done.stdout
