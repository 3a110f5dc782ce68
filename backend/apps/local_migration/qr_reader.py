"""Reads QR codes from picture files that may have become anything at all. Imports no Django.

`rendering.selfcheck` reads what we made ourselves.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

import zxingcpp
from PIL import Image, UnidentifiedImageError

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
# What tickets were ever printed as. Pillow knows many more formats, each of them a way in for a hostile file.
FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "WEBP")

_QR_CODE: Final = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


class UnreadablePicture(ValueError):
    """These bytes can't be scanned. `reason` is `not_a_picture`, `damaged` or `too_large`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def codes_in_picture(content: bytes) -> list[str]:
    """The texts of all QR codes in a picture, none if it shows none. Raises UnreadablePicture."""
    picture = _open_picture(content)
    return [code.text for code in zxingcpp.read_barcodes(picture, formats=_QR_CODE, text_mode=zxingcpp.TextMode.Plain)]


def _open_picture(content: bytes) -> Image.Image:
    """The picture in greys, whatever was transparent turned white: codes are printed on paper."""
    if len(content) > MAX_BYTES:
        raise UnreadablePicture("too_large", f"{len(content):,} bytes, more than {MAX_BYTES:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked right below
            picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnreadablePicture("not_a_picture", f"no {', '.join(FORMATS)} file") from None
    except Image.DecompressionBombError as error:
        raise UnreadablePicture("too_large", str(error)) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadablePicture("damaged", f"a damaged picture: {error}") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise UnreadablePicture("too_large", f"{picture.width} x {picture.height} pixels, more than {MAX_PIXELS:,}")
    try:
        if picture.has_transparency_data:
            layer = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        return picture.convert("L")
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnreadablePicture("damaged", f"a damaged picture: {error}") from error
