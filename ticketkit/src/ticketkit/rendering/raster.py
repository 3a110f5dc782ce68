"""Rasterise PDFs, to read their codes and to show previews."""

from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from threading import Lock
from typing import Final

import pypdfium2
from PIL import Image

from ticketkit.rendering.errors import RenderingError

_POINTS_PER_INCH: Final = 72
_MAX_PIXELS: Final = 50_000_000
_PDFIUM: Final = Lock()  # pdfium is not thread-safe


def pages_as_pictures(pdf: bytes, dpi: int, *, grey: bool = False) -> Iterator[Image.Image]:
    """Yield every page rasterised at `dpi`.

    Raises RenderingError if the PDF cannot be read or a page has more than 50 million pixels.
    """
    scale = dpi / _POINTS_PER_INCH
    try:
        with _PDFIUM, closing(pypdfium2.PdfDocument(pdf)) as document:
            for page in document:
                check_size(page.get_width() * scale, page.get_height() * scale)
                yield page.render(scale=scale, grayscale=grey).to_pil()
    except pypdfium2.PdfiumError as error:
        raise RenderingError(f"this PDF cannot be read: {error}") from error


def first_page_png(pdf: bytes, dpi: int) -> bytes:
    """Return the first page rasterised at `dpi`, as a PNG.

    Raises RenderingError if the PDF cannot be read or the page has more than 50 million pixels.
    """
    first, *_ = pages_as_pictures(pdf, dpi)
    target = BytesIO()
    first.convert("RGB").save(target, "PNG")
    return target.getvalue()


def check_size(width: float, height: float) -> None:
    """Raise RenderingError for a picture of more than 50 million pixels."""
    if width * height > _MAX_PIXELS:
        raise RenderingError(f"{width:.0f} x {height:.0f} pixels are too many to look for a code in: lower the dpi")
