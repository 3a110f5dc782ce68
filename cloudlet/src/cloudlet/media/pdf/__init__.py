"""Read PDF files, and extract their pages as images or as PDFs.

PDFium is not thread-safe, and untrusted files can make it crash or hang. It therefore runs in worker processes, so that
a bad file costs one of them, and its uploader gets an error.
"""

import atexit
import json
from pathlib import Path
from typing import Any

from PIL import Image

from cloudlet.media.pdf.protocol import Description, PageMissingError, PdfError
from cloudlet.media.worker_pool import Reply, WorkerLostError, WorkerPool

__all__ = ["Description", "PageMissingError", "PdfError", "describe", "extract_page", "render_page"]

_workers = WorkerPool("cloudlet.media.pdf.worker", size=2)
atexit.register(_workers.close)


def _ask(request: dict[str, Any], source: bytes | Path) -> Reply:
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
    """Return the number of pages and the size of the first one in points. Raises PdfError if it is not readable."""
    answer, _ = _ask({"operation": "describe"}, source)
    return Description(answer["pages"], answer["width"], answer["height"])


def render_page(source: bytes | Path, page: int, density: int, max_pixels: int) -> Image.Image:
    """Render page `page` (from 1) on white, at `density` dots per inch. Raises PageMissingError or PdfError."""
    request = {"operation": "render", "page": page, "density": density, "max_pixels": max_pixels}
    answer, pixels = _ask(request, source)
    size = answer["width"], answer["height"]
    return Image.frombytes("RGB", size, pixels, "raw", answer["mode"], answer["stride"])


def extract_page(source: bytes | Path, page: int) -> bytes:
    """Return page `page` (from 1) as a PDF. Raises PageMissingError or PdfError."""
    return _ask({"operation": "extract", "page": page}, source)[1]
