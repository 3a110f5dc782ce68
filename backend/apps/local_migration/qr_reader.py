"""Read QR codes from untrusted picture files. Import no Django.

`ticketkit.rendering.selfcheck` reads the pictures that we rendered ourselves.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

import zxingcpp
from PIL import Image, UnidentifiedImageError

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
# The formats in which tickets were ever stored. Pillow knows many more, and each widens the attack surface.
FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "WEBP")

_QR_CODE: Final = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


class UnreadablePictureError(ValueError):
    """The bytes can't be scanned. `reason` is `not_a_picture`, `damaged` or `too_large`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def codes_in_picture(content: bytes) -> list[str]:
    """Return the texts of all QR codes in a picture, which may be none. Raises UnreadablePictureError."""
    picture = _open_picture(content)
    return [code.text for code in zxingcpp.read_barcodes(picture, formats=_QR_CODE, text_mode=zxingcpp.TextMode.Plain)]


def _open_picture(content: bytes) -> Image.Image:
    """Return the picture in greyscale on white, as codes are printed on paper. Raises UnreadablePictureError."""
    if len(content) > MAX_BYTES:
        raise UnreadablePictureError("too_large", f"{len(content):,} bytes, more than {MAX_BYTES:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked below
            picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnreadablePictureError("not_a_picture", f"no {', '.join(FORMATS)} file") from None
    except Image.DecompressionBombError as error:
        raise UnreadablePictureError("too_large", str(error)) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadablePictureError("damaged", f"a damaged picture: {error}") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise UnreadablePictureError(
            "too_large", f"{picture.width} x {picture.height} pixels, more than {MAX_PIXELS:,}"
        )
    try:
        if picture.has_transparency_data:
            layer = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        return picture.convert("L")
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnreadablePictureError("damaged", f"a damaged picture: {error}") from error
