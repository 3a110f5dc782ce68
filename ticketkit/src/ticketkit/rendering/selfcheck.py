"""Scan the codes of a rendered ticket, in its PNG and in its rasterised PDF.

Fast enough for once per template, too slow for every ticket.
"""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Final

import zxingcpp
from PIL import Image, UnidentifiedImageError

from ticketkit.rendering.details import RenderedTicket
from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.raster import check_size, pages_as_pictures

# From a thumbnail on a phone to an office printer.
CHECKED_DPI: Final = (60, 150)

# Without Micro QR and rMQR, which the decoder sometimes finds in noise.
_QR_CODES: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2)


def check_ticket(ticket: RenderedTicket, code: str, dpi: Iterable[int] = CHECKED_DPI) -> None:
    """Raise RenderingError unless the PNG, and the PDF at each resolution, contain exactly one QR code, with `code`."""
    _require("the PNG", read_codes(ticket.qr_png), code)
    for resolution in dpi:
        _require(f"the PDF at {resolution} dpi", read_codes(ticket.pdf, resolution), code)


def read_codes(data: bytes, dpi: int = 150) -> list[str]:
    """Return the texts of all QR codes in a picture or PDF; PDFs are rasterised at `dpi`.

    Raises RenderingError if the file cannot be read or has more than 50 million pixels.
    """
    pages = pages_as_pictures(data, dpi, grey=True) if data.startswith(b"%PDF-") else _opened(data)
    return [
        found.text
        for page in pages
        for found in zxingcpp.read_barcodes(page, formats=_QR_CODES, text_mode=zxingcpp.TextMode.Plain)
    ]


def _require(what: str, found: list[str], code: str) -> None:
    if found != [code]:
        if len(found) > 1:
            shown = f"{len(found)} codes. Is there a QR code in a picture of the event? Take it out or hide the picture"
        else:
            shown = f"{'another' if found else 'no'} code. Change the layout or the pictures"
        raise RenderingError(f"{what} does not scan: it shows {shown}")


def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(BytesIO(data)) as picture:
            check_size(picture.width, picture.height)
            yield picture.convert("L")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise RenderingError(f"this picture cannot be read: {error}") from error
