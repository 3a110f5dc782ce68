"""Decode stored bytes: images by Pillow, pages of a PDF by PDFium, SVG by resvg.

Sizes are checked before pixels are decoded.
"""

import io
import struct
from dataclasses import dataclass
from typing import Protocol

from PIL import Image, ImageOps, UnidentifiedImageError

from cloudlet.media import pdf, svg
from cloudlet.transformations.errors import TransformationError, UnreadableSourceError

DEFAULT_DENSITY = 150
_READABLE = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "ICO", "PPM", "JPEG2000")
# What Pillow's plugins raise for damaged files.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    OverflowError,
    EOFError,
    MemoryError,
    LookupError,
    TypeError,
    struct.error,
)
Image.MAX_IMAGE_PIXELS = None  # Pillow's limit is global; ours is checked for each call


class PixelLimit(Protocol):
    """The limits of one source image: its pixels in all, and the pixels of a side."""

    @property
    def source_pixels(self) -> int: ...

    @property
    def side(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded file. `frames` holds one image, or all frames of an animation. `durations` are in milliseconds."""

    format: str
    frames: tuple[Image.Image, ...]
    durations: tuple[int, ...] = ()
    loop: int = 0


def is_pdf(content: bytes) -> bool:
    return content[:1024].lstrip().startswith(b"%PDF-")


def decode(
    content: bytes,
    limits: PixelLimit,
    *,
    page: int | None = None,
    density: int | None = None,
    animated: bool = False,
    upright: bool = True,
) -> Decoded:
    """Decode the first image in `content`, or page or frame `page` (from 1), or all frames when `animated`.

    `density` is in dots per inch and applies to PDF and SVG. `upright` rotates an image as its EXIF orientation says.

    Raises UnreadableSourceError if the bytes cannot be decoded or exceed `limits`, and TransformationError if there is
    no such page.
    """
    if is_pdf(content):
        return Decoded("pdf", (_pdf_page(content, page or 1, density or DEFAULT_DENSITY, limits.source_pixels),))
    if svg.is_svg(content):
        content = _rasterize(content, density, limits.source_pixels)
    try:
        with Image.open(io.BytesIO(content), formats=_READABLE) as image:
            return _read_image(image, limits, page, animated, upright)
    except UnidentifiedImageError as error:
        raise UnreadableSourceError("the stored file is not a readable image: its format is not read here") from error
    except _DAMAGED as error:
        if isinstance(error, (TransformationError, UnreadableSourceError)):
            raise
        raise UnreadableSourceError(f"the stored file is not a readable image: {error}") from error


def _rasterize(content: bytes, density: int | None, limit: int) -> bytes:
    try:
        return svg.rasterize(content, density, limit)
    except svg.SvgError as error:
        raise UnreadableSourceError(str(error)) from error


def _read_image(image: Image.Image, limits: PixelLimit, page: int | None, animated: bool, upright: bool) -> Decoded:
    frame_count = getattr(image, "n_frames", 1)
    _check_size(image.size, limits)
    image_format = (image.format or "png").lower()
    if page is not None and page > frame_count:
        raise TransformationError(f"pg_{page}", f"the file has {frame_count} page(s)")
    if page is None and animated and frame_count > 1:
        _check_pixels(image.width * frame_count, image.height, limits)
        return _animation(image, image_format, frame_count, upright)
    image.seek((page or 1) - 1)
    _check_size(image.size, limits)
    return Decoded(image_format, (_normalise(image, upright),))


def _animation(image: Image.Image, image_format: str, frame_count: int, upright: bool) -> Decoded:
    frames, durations = [], []
    for number in range(frame_count):
        image.seek(number)
        frames.append(_normalise(image, upright))
        durations.append(int(image.info.get("duration", 100)))
    return Decoded(image_format, tuple(frames), tuple(durations), int(image.info.get("loop", 0)))


def _check_size(size: tuple[int, int], limits: PixelLimit) -> None:
    if max(size) > limits.side:
        raise UnreadableSourceError(f"the image is {size[0]}x{size[1]}; more than {limits.side} pixels a side")
    _check_pixels(*size, limits)


def _check_pixels(width: int, height: int, limits: PixelLimit) -> None:
    if width * height > limits.source_pixels:
        megapixels = limits.source_pixels / 1e6
        raise UnreadableSourceError(f"the image is {width}x{height}; more than {megapixels:g} megapixels")


def _normalise(image: Image.Image, upright: bool) -> Image.Image:
    """Return a new image in one of the modes L, LA, RGB and RGBA. 1-bit images become L."""
    turned = ImageOps.exif_transpose(image) if upright else image.copy()
    transparent = turned.has_transparency_data
    if turned.mode in ("L", "LA", "RGB", "RGBA") and (turned.mode.endswith("A") or not transparent):
        return turned
    if turned.mode == "1":
        return turned.convert("L")
    if turned.mode.startswith("I;16") or turned.mode in ("I", "F"):
        return turned.convert("I").point(lambda value: value / 256).convert("L")
    return turned.convert("RGBA" if transparent else "RGB")


def _pdf_page(content: bytes, number: int, density: int, limit: int) -> Image.Image:
    try:
        return pdf.render_page(content, number, density, limit)
    except pdf.PageMissingError as error:
        raise TransformationError(f"pg_{number}", str(error)) from error
    except pdf.PdfError as error:
        raise UnreadableSourceError(str(error)) from error


def extract_page(content: bytes, number: int) -> bytes:
    """Return one page of a PDF as a PDF. Raises TransformationError if there is no such page, UnreadableSourceError."""
    try:
        return pdf.extract_page(content, number)
    except pdf.PageMissingError as error:
        raise TransformationError(f"pg_{number}", str(error)) from error
    except pdf.PdfError as error:
        raise UnreadableSourceError(str(error)) from error
