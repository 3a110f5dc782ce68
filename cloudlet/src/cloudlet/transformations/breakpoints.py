"""Responsive breakpoints: the widths in which an image should be delivered.

Cloudinary measures the files. cloudlet assumes that their size grows with the area.
"""

import re
from dataclasses import dataclass

MAX_IMAGES = 200
_SETTINGS = re.compile(r"breakpoints(?:_(\d{1,5})_(\d{1,5})_(\d{1,6})_(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Breakpoints:
    """The settings, with widths in pixels and the step between two files in bytes. Defaults are Cloudinary's."""

    min_width: int = 50
    max_width: int = 1000
    bytes_step: int = 20_000
    max_images: int = 20

    def widths(self, width: int, size: int) -> list[int]:
        """Return the breakpoints of an image of ``width`` pixels and ``size`` bytes, widest first.

        None is wider than the image. Each file is at least ``bytes_step`` smaller than the one before, except the last.
        """
        widest = min(self.max_width, width)
        narrowest = min(self.min_width, widest)
        bytes_of_widest = size * (widest / width) ** 2
        widths = [widest]
        wanted = bytes_of_widest - self.bytes_step
        while wanted > 0 and len(widths) < self.max_images - 1:
            chosen = int(widest * (wanted / bytes_of_widest) ** 0.5)
            if chosen <= narrowest:
                break
            widths.append(chosen)
            wanted -= self.bytes_step
        if narrowest < widths[-1] and len(widths) < self.max_images:
            widths.append(narrowest)
        return widths


def parse_breakpoints(text: str) -> Breakpoints:
    """Parse ``breakpoints`` or ``breakpoints_MIN_MAX_STEP_IMAGES``, with the step in kilobytes. Raises ValueError."""
    match = _SETTINGS.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not written breakpoints_50_1000_20_20: widths, kilobytes, images")
    if match[1] is None:
        return Breakpoints()
    narrowest, widest, kilobytes, images = (int(number) for number in match.groups())
    if not 1 <= narrowest <= widest or kilobytes < 1 or not 1 <= images <= MAX_IMAGES:
        raise ValueError(f"{text!r}: widths must grow, the step be 1 kB or more, images 1 to {MAX_IMAGES}")
    return Breakpoints(narrowest, widest, kilobytes * 1024, images)
