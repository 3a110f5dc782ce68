"""Reads a finished ticket's codes back, as a scanner would: from its PNG, and from its PDF as pixels.

Cheap enough to do once for each template before tickets are published, too dear to do for every ticket.
"""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Final

import zxingcpp
from PIL import Image, UnidentifiedImageError

from ticketkit.rendering.details import RenderedTicket
from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.raster import check_size, pages_as_pictures

# From a thumbnail on a phone to what an office printer puts on paper.
CHECKED_DPI: Final = (60, 150)

# Not its smaller cousins too, which the decoder now and then sees in the noise of a page.
_QR_CODES: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2)


def check_ticket(ticket: RenderedTicket, code: str, dpi: Iterable[int] = CHECKED_DPI) -> None:
    """Raise RenderingError unless the PNG, and the PDF at every resolution, show `code` and no other code."""
    _require("the PNG", read_codes(ticket.qr_png), code)
    for resolution in dpi:
        _require(f"the PDF at {resolution} dpi", read_codes(ticket.pdf, resolution), code)


def read_codes(data: bytes, dpi: int = 150) -> list[str]:
    """Return the text of every QR code in a picture or on the pages of a PDF, rasterised at `dpi`.

    Raises RenderingError for bytes that are neither, or that make more than 50 million pixels.
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
        raise RenderingError(f"this is no picture that can be read: {error}") from error
