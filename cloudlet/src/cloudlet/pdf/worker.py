"""The process that PDFium runs in: `python -m cloudlet.pdf.worker FD` answers requests until its peer hangs up."""

import contextlib
import io
import json
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pypdfium2

MEMORY_LIMIT = 3 * 1024**3
LIFETIME_S = 60
POINTS_PER_INCH = 72
Answer = tuple[dict[str, Any], bytes]


class _RefusedError(Exception):
    """Ends a request with this header as the answer."""

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


def _checked(document: Any, number: int) -> int:
    if number > len(document):
        raise _RefusedError({"missing": len(document)})
    return number - 1


def describe(source: bytes | str) -> Answer:
    with _document(source) as document:
        width, height = document.get_page_size(0)
        return {"pages": len(document), "width": width, "height": height}, b""


def render(source: bytes | str, page: int, density: int, max_pixels: int) -> Answer:
    with _document(source) as document:
        sheet = document[_checked(document, page)]
        scale = density / POINTS_PER_INCH
        width, height = (side * scale for side in sheet.get_size())
        if width * height > max_pixels:
            most = f"{max_pixels / 1e6:g} megapixels"
            raise _RefusedError({"error": f"the page is {width:.0f}x{height:.0f} at {density} dpi; more than {most}"})
        bitmap = sheet.render(scale=scale, fill_color=(255, 255, 255, 255), may_draw_forms=False)
        header = {"width": bitmap.width, "height": bitmap.height, "stride": bitmap.stride, "mode": bitmap.mode}
        return header, bytes(bitmap.buffer)


def extract(source: bytes | str, page: int) -> Answer:
    with _document(source) as document:
        index = _checked(document, page)
        target = pypdfium2.PdfDocument.new()
        try:
            target.import_pages(document, [index])
            buffer = io.BytesIO()
            target.save(buffer)
        finally:
            target.close()
        return {}, buffer.getvalue()


OPERATIONS: dict[str, Callable[..., Answer]] = {"describe": describe, "render": render, "extract": extract}


def answer(request: dict[str, Any], source: bytes | str) -> Answer:
    operation = OPERATIONS[request.pop("operation")]
    try:
        return operation(source, **request)
    except _RefusedError as refusal:
        return refusal.answer, b""
    except (pypdfium2.PdfiumError, OSError, MemoryError, ValueError) as error:
        return {"error": f"the file is not a readable PDF: {error}"}, b""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; its end is ours
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    with Connection(int(sys.argv[1])) as connection, contextlib.suppress(EOFError, OSError):
        while True:
            request = json.loads(connection.recv_bytes())
            path = request.pop("path")
            source = path if path is not None else connection.recv_bytes()
            signal.alarm(LIFETIME_S)  # ends this process even when the server is no longer there to do so
            header, payload = answer(request, source)
            signal.alarm(0)
            connection.send_bytes(json.dumps({**header, "payload": bool(payload)}).encode())
            if payload:
                connection.send_bytes(payload)


if __name__ == "__main__":
    main()
