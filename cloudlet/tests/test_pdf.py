"""PDF pages. A bad PDF may end its worker process, but never the server."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pictures
import pytest
from pictures import BLUE, RED

from cloudlet.media import pdf
from cloudlet.media.worker_pool import WorkerLostError, WorkerPool, limit_waits

pytestmark = pytest.mark.integration

DESCRIBE = b'{"operation": "describe", "path": null}\n' + pictures.pdf(RED)


def test_describe_returns_pages_and_size(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pictures.pdf(RED, BLUE))
    for source in (path, path.read_bytes()):
        found = pdf.describe(source)
        assert (found.pages, found.width, found.height) == (2, 100, 50)


def test_page_is_rendered_in_rgb() -> None:
    page = pdf.render_page(pictures.pdf(RED, BLUE), 2, 72, 1_000_000)
    assert page.size == (100, 50)
    assert page.getpixel((50, 25)) == pytest.approx(BLUE, abs=8)


def test_extracted_page_is_a_pdf() -> None:
    assert pdf.describe(pdf.extract_page(pictures.pdf(RED, BLUE), 2)).pages == 1


def test_missing_page_is_an_error() -> None:
    with pytest.raises(pdf.PageMissingError, match=r"has 2 page"):
        pdf.render_page(pictures.pdf(RED, BLUE), 3, 72, 1_000_000)


def test_page_beyond_the_limit_is_an_error() -> None:
    with pytest.raises(pdf.PdfError, match=r"0\.0001 megapixels"):
        pdf.render_page(pictures.pdf(RED), 1, 72, 100)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"%PDF-1.4\n" + b"\xff" * 5000, pictures.pdf(RED)[:300]])
def test_unreadable_pdf_is_an_error(content: bytes) -> None:
    with pytest.raises(pdf.PdfError, match="not a readable PDF"):
        pdf.describe(content)


def test_many_threads_render_at_the_same_time() -> None:
    content = pictures.pdf(RED, BLUE)
    with ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(lambda number: pdf.render_page(content, 1 + number % 2, 72, 10_000), range(64)))
    for number, page in enumerate(pages):
        assert page.getpixel((50, 25)) == pytest.approx((RED, BLUE)[number % 2], abs=8)


def children(workers: WorkerPool) -> list[Any]:
    return [worker for worker in workers._slots.queue if worker is not None]


def test_worker_that_was_killed_while_it_waited_is_replaced() -> None:
    workers = WorkerPool("cloudlet.media.pdf.worker", size=1)
    workers.ask(DESCRIBE)
    (first,) = children(workers)
    os.kill(first._process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, first._process.pid, os.WEXITED | os.WNOWAIT)
    answer, _ = workers.ask(DESCRIBE)
    assert answer["pages"] == 1
    assert children(workers) != [first]
    workers.close()


def test_worker_with_an_invalid_response_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it were kept, the next request would get the rest of that response."""
    workers = WorkerPool("cloudlet.media.pdf.worker", size=1)
    with monkeypatch.context() as patched:
        patched.setattr("cloudlet.media.worker_pool.json.loads", lambda text: [])
        with pytest.raises(WorkerLostError):
            workers.ask(DESCRIBE)
    assert children(workers) == []
    assert workers.ask(DESCRIBE)[0]["pages"] == 1
    workers.close()


def test_worker_that_does_not_respond_is_killed() -> None:
    workers = WorkerPool("cloudlet.media.pdf.worker", size=1, timeout=60)
    workers.ask(DESCRIBE)
    (worker,) = children(workers)
    with socket.socket(fileno=os.dup(worker._connection.fileno())) as end:
        limit_waits(end, 0.2)
    os.kill(worker._process.pid, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(WorkerLostError):
        workers.ask(DESCRIBE)
    assert time.monotonic() - started < 30
    assert children(workers) == []
