"""PDF pages, and what a bad PDF costs: one worker process, never the server."""

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


def test_describe(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pictures.pdf(RED, BLUE))
    for source in (path, path.read_bytes()):
        found = pdf.describe(source)
        assert (found.pages, found.width, found.height) == (2, 100, 50)


def test_render_is_right_way_round_in_colour() -> None:
    page = pdf.render_page(pictures.pdf(RED, BLUE), 2, 72, 1_000_000)
    assert page.size == (100, 50)
    assert page.getpixel((50, 25)) == pytest.approx(BLUE, abs=8)


def test_extract() -> None:
    assert pdf.describe(pdf.extract_page(pictures.pdf(RED, BLUE), 2)).pages == 1


def test_a_missing_page() -> None:
    with pytest.raises(pdf.PageMissingError, match=r"has 2 page"):
        pdf.render_page(pictures.pdf(RED, BLUE), 3, 72, 1_000_000)


def test_a_page_too_large() -> None:
    with pytest.raises(pdf.PdfError, match="0.0001 megapixels"):
        pdf.render_page(pictures.pdf(RED), 1, 72, 100)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"%PDF-1.4\n" + b"\xff" * 5000, pictures.pdf(RED)[:300]])
def test_what_is_not_a_pdf(content: bytes) -> None:
    with pytest.raises(pdf.PdfError, match="not a readable PDF"):
        pdf.describe(content)


def test_many_threads_at_once() -> None:
    content = pictures.pdf(RED, BLUE)
    with ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(lambda number: pdf.render_page(content, 1 + number % 2, 72, 10_000), range(64)))
    for number, page in enumerate(pages):
        assert page.getpixel((50, 25)) == pytest.approx((RED, BLUE)[number % 2], abs=8)


def children(workers: WorkerPool) -> list[Any]:
    return [worker for worker in workers._slots.queue if worker is not None]


def test_a_worker_that_dies_is_replaced() -> None:
    workers = WorkerPool("cloudlet.media.pdf.worker", size=1)
    workers.ask(DESCRIBE)
    children(workers)[0]._process.kill()
    with pytest.raises(WorkerLostError):
        workers.ask(DESCRIBE)
    answer, _ = workers.ask(DESCRIBE)
    assert answer["pages"] == 1
    workers.close()


def test_a_worker_whose_answer_makes_no_sense_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept, it would give the rest of that answer to the next request."""
    workers = WorkerPool("cloudlet.media.pdf.worker", size=1)
    with monkeypatch.context() as patched:
        patched.setattr("cloudlet.media.worker_pool.json.loads", lambda text: [])
        with pytest.raises(WorkerLostError):
            workers.ask(DESCRIBE)
    assert children(workers) == []
    assert workers.ask(DESCRIBE)[0]["pages"] == 1
    workers.close()


def test_a_worker_that_does_not_answer_is_given_up() -> None:
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
