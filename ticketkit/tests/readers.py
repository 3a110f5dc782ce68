"""Read PDFs with other programs: poppler, pdfium, qpdf and zxing-cpp."""

import subprocess
import unicodedata
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import zxingcpp
from PIL import Image

QR_CODES = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2)
_INVISIBLE = {"\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\ufe0e", "\ufe0f", "\u00ad"}


def poppler_text(pdf: bytes, tmp_path: Path) -> str:
    """Return the text that pdftotext extracts."""
    return _run("pdftotext", pdf, tmp_path, "-enc", "UTF-8", "{}", "-").decode("utf-8")


def pdfium_text(pdf: bytes) -> str:
    """Return the text that pdfium, Chromium's PDF engine, extracts."""
    document = pypdfium2.PdfDocument(pdf)
    return str(document[0].get_textpage().get_text_range())


def poppler_picture(pdf: bytes, tmp_path: Path, dpi: int) -> Image.Image:
    """Return the page as poppler draws it, in grey. Writing a PNG would take up to thirty times as long."""
    _run("pdftoppm", pdf, tmp_path, "-r", str(dpi), "-gray", "-singlefile", "{}", str(tmp_path / "page"))
    return Image.open(tmp_path / "page.pgm")


def pdfium_picture(pdf: bytes, dpi: int) -> Image.Image:
    """Return the page as pdfium draws it."""
    picture: Image.Image = pypdfium2.PdfDocument(pdf)[0].render(scale=dpi / 72).to_pil()
    return picture


def read_qr_codes(picture: Image.Image) -> list[str]:
    """Return the texts of the QR codes that zxing-cpp finds."""
    found = zxingcpp.read_barcodes(picture.convert("L"), formats=QR_CODES)
    return [code.text for code in found]


def qpdf_errors(pdf: bytes, tmp_path: Path) -> str:
    """Return the errors and warnings of ``qpdf --check``, or an empty text."""
    path = tmp_path / "ticket.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 and "WARNING" not in done.stderr else done.stdout + done.stderr


def comparable(text: str) -> str:
    """Return text without what PDF readers may add or drop: white space, direction marks, joiners."""
    kept = (char for char in text if not char.isspace() and char not in _INVISIBLE)
    visible = (char for char in kept if not 0x202A <= ord(char) <= 0x202E and not 0x2066 <= ord(char) <= 0x2069)
    return unicodedata.normalize("NFC", "".join(visible))


def _run(program: str, pdf: bytes, tmp_path: Path, *arguments: str) -> bytes:
    path = tmp_path / "ticket.pdf"
    path.write_bytes(pdf)
    command = [program, *(str(path) if argument == "{}" else argument for argument in arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert not done.stderr, done.stderr.decode("utf-8", "replace")
    return done.stdout
