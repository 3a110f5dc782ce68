"""Colours as Cloudinary writes them: a CSS name, `rgb:RRGGBB`, `rgb:RRGGBBAA`, `rgb:RGB` or `#RRGGBB`."""

import re

from PIL import ImageColor

from cloudlet.transformations.model import RGBA

_HEX = re.compile(r"(?:rgb:|#)([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_NAME = re.compile(r"[a-z]{3,24}")


def parse_color(text: str) -> RGBA:
    """Return the colour that `text` describes. Raises ValueError if it is not a colour."""
    if text == "transparent":
        return (0, 0, 0, 0)
    if match := _HEX.fullmatch(text):
        return _rgba(ImageColor.getrgb("#" + match[1]))
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is neither a colour name nor rgb:RRGGBB")
    try:
        return _rgba(ImageColor.getrgb(text))
    except ValueError:
        raise ValueError(f"{text!r} is not a known colour name") from None


def _rgba(color: tuple[int, ...]) -> RGBA:
    red, green, blue, *alpha = color
    return (red, green, blue, alpha[0] if alpha else 255)
