"""Read QR codes from pictures and PDFs, as a scanner does."""

from __future__ import annotations

import io

import pypdfium2
import qrcode
import zxingcpp
from PIL import Image

QR_CODES = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2)
# A minimal PDF with one empty page.
EMPTY_PAGE = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def codes_in_picture(picture: Image.Image) -> list[str]:
    """Return the texts of all QR codes in a picture."""
    return [found.text for found in zxingcpp.read_barcodes(picture.convert("L"), formats=QR_CODES)]


def codes_in_png(content: bytes) -> list[str]:
    return codes_in_picture(Image.open(io.BytesIO(content)))


def codes_in_pdf(content: bytes, dpi: int = 150) -> list[str]:
    """Return the texts of all QR codes on the first page, rendered at this resolution."""
    with pypdfium2.PdfDocument(content) as document:
        return codes_in_picture(document[0].render(scale=dpi / 72).to_pil())


def png_of_code(text: str) -> bytes:
    """Return a picture that contains a foreign QR code, as posters may."""
    buffer = io.BytesIO()
    qrcode.make(text).save(buffer, "PNG")
    return buffer.getvalue()
