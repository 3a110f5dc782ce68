"""The worker process of PDFium: `python -m cloudlet.media.pdf.worker FD`."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pypdfium2

from cloudlet.media.worker_pool import Reply, serve

MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 20.0
POINTS_PER_INCH = 72


class _RefusedError(Exception):
    """A request is refused. `answer` is the header of the reply."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer)
        self.answer = answer


@contextlib.contextmanager
def _document(source: bytes | str) -> Iterator[Any]:
    document = pypdfium2.PdfDocument(source)
    try:
        if len(document) == 0:
            raise _RefusedError({"error": "the PDF has no pages"})
        yield document
    finally:
        document.close()


def _page_index(document: Any, number: int) -> int:
    if number > len(document):
        raise _RefusedError({"missing": len(document)})
    return number - 1


def describe(source: bytes | str) -> Reply:
    with _document(source) as document:
        width, height = document.get_page_size(0)
        return {"pages": len(document), "width": width, "height": height}, b""


def render(source: bytes | str, page: int, density: int, max_pixels: int) -> Reply:
    with _document(source) as document:
        sheet = document[_page_index(document, page)]
        scale = density / POINTS_PER_INCH
        width, height = (side * scale for side in sheet.get_size())
        if width * height > max_pixels:
            most = f"{max_pixels / 1e6:g} megapixels"
            raise _RefusedError({"error": f"the page is {width:.0f}x{height:.0f} at {density} dpi; more than {most}"})
        bitmap = sheet.render(scale=scale, fill_color=(255, 255, 255, 255), may_draw_forms=False)
        header = {"width": bitmap.width, "height": bitmap.height, "stride": bitmap.stride, "mode": bitmap.mode}
        return header, bytes(bitmap.buffer)


def extract(source: bytes | str, page: int) -> Reply:
    with _document(source) as document:
        index = _page_index(document, page)
        target = pypdfium2.PdfDocument.new()
        try:
            target.import_pages(document, [index])
            buffer = io.BytesIO()
            target.save(buffer)
        finally:
            target.close()
        return {}, buffer.getvalue()


OPERATIONS: dict[str, Callable[..., Reply]] = {"describe": describe, "render": render, "extract": extract}


def answer(request: bytes) -> Reply:
    """Handle a request: a line of JSON, followed by the document unless the JSON has a path."""
    head, _, content = request.partition(b"\n")
    asked = json.loads(head)
    operation, path = OPERATIONS[asked.pop("operation")], asked.pop("path")
    try:
        return operation(content if path is None else path, **asked)
    except _RefusedError as refusal:
        return refusal.answer, b""
    except (pypdfium2.PdfiumError, OSError, MemoryError, ValueError) as error:
        return {"error": f"the file is not a readable PDF: {error}"}, b""


if __name__ == "__main__":
    serve(answer, memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)
