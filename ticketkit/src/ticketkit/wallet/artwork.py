"""Prepare the pictures of Apple passes, once per event."""

from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageOps

from ticketkit.picture_input import PictureError, on_white, open_picture
from ticketkit.rendering.colour import Colour
from ticketkit.rendering.details import EventDetails
from ticketkit.rendering.errors import RenderingError

# In points, from Apple's design guide for event tickets. A file named @2x has two pixels per point.
_ICON: Final = 29
_LOGO: Final = (160, 50)
_STRIP: Final = (375, 98)
_DENSITIES: Final = {"": 1, "@2x": 2, "@3x": 3}
_SMOOTHING: Final = 8


def pass_pictures(event: EventDetails, accent: Colour) -> dict[str, bytes]:
    """Return PNG files by name: icons, logos if the event has a logo, a strip if it has a cover.

    Raises RenderingError if a picture cannot be read.
    """
    logo = _open(event.logo, "logo").convert("RGBA") if event.logo else None
    pictures = {f"icon{name}.png": _png(_icon(logo, accent, _ICON * scale)) for name, scale in _DENSITIES.items()}
    if logo:
        for name, scale in _DENSITIES.items():
            pictures[f"logo{name}.png"] = _png(ImageOps.contain(logo, (_LOGO[0] * scale, _LOGO[1] * scale)))
    if event.cover:
        cover = on_white(_open(event.cover, "cover"))
        strip = ImageOps.fit(cover, (_STRIP[0] * 2, _STRIP[1] * 2), Image.Resampling.LANCZOS)
        # Wallet accepts only PNG: a dithered palette takes a third of the bytes of true colour.
        palette = strip.quantize(256)
        pictures["strip@2x.png"] = _png(strip.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    return pictures


def _open(data: bytes, name: str) -> Image.Image:
    try:
        return open_picture(data)
    except PictureError as error:
        raise RenderingError(f"the {name} cannot be read: {error}") from error


def _icon(logo: Image.Image | None, accent: Colour, pixels: int) -> Image.Image:
    """Return an icon with the logo on white, or with a ticket on the accent colour."""
    if logo:
        icon = Image.new("RGB", (pixels, pixels), "white")
        inside = ImageOps.contain(logo, (pixels * 7 // 8, pixels * 7 // 8))
        icon.paste(inside, ((pixels - inside.width) // 2, (pixels - inside.height) // 2), inside)
        return icon
    side = pixels * _SMOOTHING
    red, green, blue = (round(255 * part) for part in accent)
    icon = Image.new("RGB", (side, side), (red, green, blue))
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((side * 0.14, side * 0.3, side * 0.86, side * 0.7), side * 0.06, "white")
    for x in (0.14, 0.86):
        notch = (side * (x - 0.07), side * 0.43, side * (x + 0.07), side * 0.57)
        draw.ellipse(notch, (red, green, blue))
    return icon.resize((pixels, pixels), Image.Resampling.LANCZOS)


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
