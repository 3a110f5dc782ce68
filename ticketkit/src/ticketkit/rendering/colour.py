"""Colours as sRGB triples (0 to 1), and their contrast (WCAG 2.2, success criterion 1.4.3)."""

import re

from ticketkit.rendering.errors import RenderingError

Colour = tuple[float, float, float]
WHITE: Colour = (1.0, 1.0, 1.0)
BLACK: Colour = (0.0, 0.0, 0.0)
# WCAG asks for 4.5 in small text; the margin allows for pale printers.
MIN_CONTRAST = 5.0


def parse_colour(text: str) -> Colour:
    """Return the colour written as ``#rgb`` or ``#rrggbb``. Raises RenderingError for any other text."""
    digits = text.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    if not text.startswith("#") or not re.fullmatch("[0-9a-fA-F]{6}", digits):
        raise RenderingError(f"{text!r} is not a colour: write it as #rrggbb")
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Return the relative luminance, 0 (black) to 1 (white)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return ``one`` mixed with ``other``; ``share`` (0 to 1) is the proportion of ``other``."""
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def readable(colour: Colour, surface: Colour, minimum: float = MIN_CONTRAST) -> Colour:
    """Return ``colour``, shifted towards black or white until its contrast with ``surface`` is at least ``minimum``."""
    target = BLACK if contrast(BLACK, surface) > contrast(WHITE, surface) else WHITE
    for step in range(21):
        candidate = mix(colour, target, step / 20)
        if contrast(candidate, surface) >= minimum:
            return candidate
    return target
