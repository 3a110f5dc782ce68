"""Prepare cover and logo for embedding, at the size at which they are printed."""

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from ticketkit.rendering.errors import RenderingError

if TYPE_CHECKING:
    from PIL.Image import Image

LOGO_MARGIN_POINTS = 6.0  # white space around a logo inside its frame
COVER_MAX_BYTES = 33_000  # leaves room for the rest in a PDF of at most 60 KB
# Resolution in dpi and JPEG quality, from the best to the worst acceptable in print.
_COVER_STEPS = ((180, 82), (170, 76), (150, 76), (150, 68), (150, 60), (130, 58), (130, 50), (110, 48), (100, 40))
_COVER_START = 3
_LOGO_DPI = 250
_LOGO_COLOURS = 48


@dataclass(frozen=True, slots=True)
class Picture:
    """An image for embedding: the entries of its stream dictionary, its data, and its size in pixels."""

    dictionary: bytes
    data: bytes
    width: int
    height: int


def prepare_cover(data: bytes, width: float, height: float) -> Picture:
    """Return the cover, cropped to ``width`` by ``height`` points, in the best quality within ``COVER_MAX_BYTES``.

    At the lowest quality the limit may be exceeded. Raises RenderingError if the picture cannot be read.
    """
    sharpest = _COVER_STEPS[0][0] / 72
    image = _open(data, "cover", (width * sharpest, height * sharpest))
    step, encoded, sizes = _COVER_START, b"", dict[int, int]()
    fitted = image
    while step not in sizes:
        dpi, quality = _COVER_STEPS[step]
        size = _crop_size(image, width, height, dpi)
        if fitted.size != size:
            fitted = _fill(image, size)
        encoded = _jpeg(fitted, quality)
        sizes[step] = len(encoded)
        step = _next_step(sizes, step)
    return _jpeg_picture(encoded, fitted.size)


def _next_step(sizes: Mapping[int, int], step: int) -> int:
    """Return the quality step to try next, or ``step`` itself if it is the best within the limit."""
    # Each step is about a fifth smaller than the one before.
    jump = round(log(sizes[step] / COVER_MAX_BYTES, 1.2) + 0.3)
    wanted = min(max(step + jump, 0), len(_COVER_STEPS) - 1)
    if sizes[step] > COVER_MAX_BYTES:
        wanted = min(max(wanted, step + 1), len(_COVER_STEPS) - 1)
        return wanted if wanted not in sizes else step + 1 if step + 1 < len(_COVER_STEPS) else step
    better = [tried for tried in sizes if tried < step]
    return step if better or wanted >= step else wanted


def prepare_logo(data: bytes, width: float, height: float) -> Picture:
    """Return the logo for a frame of ``width`` by ``height`` points, on white, with a palette of 48 colours.

    Raises RenderingError if the picture cannot be read.
    """
    from PIL import Image

    image = _open(data, "logo", None)
    inside = (width - 2 * LOGO_MARGIN_POINTS, height - 2 * LOGO_MARGIN_POINTS)
    box = (round(inside[0] / 72 * _LOGO_DPI), round(inside[1] / 72 * _LOGO_DPI))
    image.thumbnail(box, Image.Resampling.LANCZOS)
    palette_image = image.quantize(_LOGO_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = bytes(palette_image.getpalette() or [])[: 3 * _LOGO_COLOURS]
    last = len(palette) // 3 - 1
    dictionary = (
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8"
        b"/ColorSpace[/Indexed/DeviceRGB %d<%s>]/Filter/FlateDecode"
        % (*palette_image.size, last, palette.hex().encode("ascii"))
    )
    return Picture(dictionary, zlib.compress(palette_image.tobytes(), 9), *palette_image.size)


def _open(data: bytes, name: str, wanted: tuple[float, float] | None) -> "Image":
    """Return the picture upright, in RGB on white."""
    from ticketkit.picture_input import PictureError, on_white, open_picture

    try:
        return on_white(open_picture(data, draft_size=(round(wanted[0]), round(wanted[1])) if wanted else None))
    except PictureError as error:
        raise RenderingError(f"the {name} cannot be read: {error}") from error


def _crop_size(image: "Image", width: float, height: float, dpi: int) -> tuple[int, int]:
    """Return the size in pixels of a box of points at ``dpi``, without enlarging the picture."""
    scale = min(dpi / 72, max(image.width / width, 1), max(image.height / height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _fill(image: "Image", size: tuple[int, int]) -> "Image":
    from PIL import Image, ImageOps

    return ImageOps.fit(image, size, Image.Resampling.BICUBIC, centering=(0.5, 0.4))


def _jpeg(image: "Image", quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality, optimize=True, progressive=True, subsampling="4:2:0")
    return target.getvalue()


def _jpeg_picture(data: bytes, size: tuple[int, int]) -> Picture:
    dictionary = (
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode"
        % size
    )
    return Picture(dictionary, data, *size)
