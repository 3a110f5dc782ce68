"""PDF files: their pages, as pictures or as PDFs of their own.

PDFium parses what strangers upload, isn't safe to call from two threads, and can be made to crash or to work for ever.
It therefore runs in processes of its own: a bad file costs one of those, and its sender an error.
"""

import atexit
import json
from pathlib import Path
from typing import Any

from PIL import Image

from cloudlet.media.pdf.protocol import Description, PageMissingError, PdfError
from cloudlet.media.worker_pool import Answer, WorkerLostError, WorkerPool

__all__ = ["Description", "PageMissingError", "PdfError", "describe", "extract_page", "render_page"]

_workers = WorkerPool("cloudlet.media.pdf.worker", size=2)
atexit.register(_workers.close)


def _ask(request: dict[str, Any], source: bytes | Path) -> Answer:
    head = json.dumps({**request, "path": str(source) if isinstance(source, Path) else None}).encode()
    try:
        answer, payload = _workers.ask(head + b"\n" + (source if isinstance(source, bytes) else b""))
    except WorkerLostError as error:
        raise PdfError(f"the PDF could not be read: {error}") from error
    if "missing" in answer:
        raise PageMissingError(answer["missing"])
    if "error" in answer:
        raise PdfError(answer["error"])
    return answer, payload


def describe(source: bytes | Path) -> Description:
    """Number of pages and the first one's size in points. Raises PdfError for what isn't a readable PDF."""
    answer, _ = _ask({"operation": "describe"}, source)
    return Description(answer["pages"], answer["width"], answer["height"])


def render_page(source: bytes | Path, page: int, density: int, max_pixels: int) -> Image.Image:
    """Page `page` (from 1) on white, at `density` dots per inch. Raises PageMissingError or PdfError."""
    request = {"operation": "render", "page": page, "density": density, "max_pixels": max_pixels}
    answer, pixels = _ask(request, source)
    size = answer["width"], answer["height"]
    return Image.frombytes("RGB", size, pixels, "raw", answer["mode"], answer["stride"])


def extract_page(source: bytes | Path, page: int) -> bytes:
    """Page `page` (from 1) as a PDF. Raises PageMissingError or PdfError."""
    return _ask({"operation": "extract", "page": page}, source)[1]
