"""Limits of time and memory for a request. Its work is done in a process that is killed when it exceeds them."""

import contextlib
import io
import os
import re
import runpy
import signal
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cloudinary
import cloudinary.api
import cloudinary.uploader
import pytest
import requests
from cloudinary.exceptions import BadRequest
from deliveries import PHOTO, TIMEOUT_SECONDS, get, refused, upload, url
from pictures import decoded, encoded
from PIL import Image
from servers import threaded_cloudlet

from cloudlet import pictures
from cloudlet.errors import ApiError
from cloudlet.media.worker_pool import Reply, WorkerLostError, WorkerPool
from cloudlet.pictures import CpuBudget
from cloudlet.testing import RunningCloudlet
from cloudlet.transformations import Limits, TransformationError, parse, render

LONG_SECONDS = 40
MAX_SERVER_MB, MAX_WORKER_MB = 250, 1600


def flat_png(width: int, height: int, declared: tuple[int, int] | None = None) -> bytes:
    """Return a black picture of one bit per pixel, which compresses to a thousandth.

    The header has the declared size, if one is given.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    head = struct.pack(">IIBBBBB", *(declared or (width, height)), 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def noise(width: int, height: int) -> bytes:
    return encoded(Image.effect_noise((width, height), 90).convert("RGB"), "JPEG")


def workers_of(server: RunningCloudlet) -> list[int]:
    """Return the ids of the processes that the server has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if f"PPid:\t{server.process.pid}\n" in status.read_text():
                found.append(int(status.parent.name))
    return found


def peak_memory_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(match[1]) / 1024 if match else 0.0
    return 0.0


@contextlib.contextmanager
def small_requests(server: RunningCloudlet, after_each: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Send small requests during the block. Fail if one takes 5 seconds."""
    seconds: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.05):
            began = time.monotonic()
            requests.get(f"{server.url}/_cloudlet/console/overview", timeout=TIMEOUT_SECONDS)
            seconds.append(time.monotonic() - began)
            after_each()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert seconds
    assert max(seconds) < 5


@contextlib.contextmanager
def small_requests_in_limited_memory(server: RunningCloudlet) -> Iterator[None]:
    """Send small requests during the block. Fail if one takes 5 seconds, or a process too much memory."""
    memory = {"server": 0.0, "worker": 0.0}

    def measure() -> None:
        memory["server"] = peak_memory_mb(server.process.pid)
        memory["worker"] = max([memory["worker"], *map(peak_memory_mb, workers_of(server))])

    with small_requests(server, measure):
        yield
    assert memory["server"] < MAX_SERVER_MB, memory
    assert memory["worker"] < MAX_WORKER_MB, memory


def test_multipart_boundary_of_300_characters_is_refused(server: RunningCloudlet) -> None:
    body = f"--{'b' * 300}\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}
    address = f"{server.url}/v1_1/{server.cloud_name}/image/upload"
    answer = requests.post(address, data=body, headers=headers, timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 400
    assert "boundary" in answer.json()["error"]["message"]


@pytest.mark.parametrize("size", [(1, 39_999_999), (39_999_999, 1), (1, 30_001)])
def test_side_beyond_the_limit_is_refused_by_the_header(size: tuple[int, int], server: RunningCloudlet) -> None:
    began = time.monotonic()
    with pytest.raises(BadRequest, match="Maximum image side is 30000 pixels"):
        upload(flat_png(8, 8, declared=size), "limits/long")
    assert time.monotonic() - began < LONG_SECONDS


def test_memory_is_limited_for_a_small_file_of_a_large_picture(server: RunningCloudlet) -> None:
    content = flat_png(10_000, 9_990)
    assert len(content) < 40_000
    upload(content, "limits/flat")
    with small_requests_in_limited_memory(server):
        answer = get(url("limits/flat", raw_transformation="w_100", format="png"))
    assert answer.status_code in (200, 400), answer.headers
    assert answer.status_code == 400 or decoded(answer.content).size == (100, 100)


def test_memory_is_limited_for_a_large_avif(server: RunningCloudlet) -> None:
    upload(encoded(Image.new("RGB", (7000, 7000), (9, 99, 199)), "AVIF", speed=10), "limits/avif")
    with small_requests_in_limited_memory(server):
        answer = get(url("limits/avif", raw_transformation="w_100", format="png"))
    assert answer.status_code == 200, answer.headers


REPEATED = [
    ("e_oil_paint:100", "too much work"),
    ("e_blur:2000", "too much work"),
    ("e_vignette:100", "too much work"),
    ("a_45", "at most 50 megapixels"),
]


@pytest.mark.parametrize(("effect", "words"), REPEATED)
def test_repeated_effect_is_refused(effect: str, words: str) -> None:
    """The picture and the limits have a hundredth of the pixels of the test below, and of a server."""
    usual = Limits()
    limits = Limits(usual.source_pixels // 100, usual.step_pixels // 100, usual.work_pixels // 100)
    with pytest.raises(TransformationError, match=words.replace("50", "0.5")):
        render(noise(400, 300), parse("/".join([effect] * 20)), "jpg", limits=limits)


@pytest.mark.soak
@pytest.mark.parametrize(("effect", "words"), REPEATED)
def test_repeated_effect_is_refused_and_delays_no_other_request(
    effect: str, words: str, server: RunningCloudlet
) -> None:
    upload(noise(4000, 3000), "limits/noise")
    began = time.monotonic()
    with small_requests_in_limited_memory(server):
        answer = get(url("limits/noise", raw_transformation="/".join([effect] * 20), format="jpg"))
    refused(answer, 400, "too much" if "much" in words else words)
    assert time.monotonic() - began < LONG_SECONDS


@pytest.mark.integration
def test_picture_beyond_the_cpu_time_is_refused_and_delays_no_other_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with (
        contextlib.closing(WorkerPool("impatient_picture_worker", size=2)) as workers,
        threaded_cloudlet() as server,
    ):
        monkeypatch.setattr(pictures, "_workers", workers)
        cloudinary.config(**server.sdk_config)
        upload(noise(1600, 1200), "limits/noise")
        with small_requests(server):
            answer = get(url("limits/noise", raw_transformation="e_oil_paint:100", format="jpg"))
        refused(answer, 400, "too much time or memory")
        assert get(url("limits/noise", raw_transformation="c_crop,w_9", format="jpg")).status_code == 200


def test_worker_has_the_limits_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[dict[str, object]] = []
    monkeypatch.setattr("cloudlet.media.worker_pool.serve", lambda _answer, **limits: served.append(limits))
    monkeypatch.delitem(sys.modules, "cloudlet.pictures.worker", raising=False)
    runpy.run_module("cloudlet.pictures.worker", run_name="__main__")
    assert served == [{"memory_bytes": 1.5 * 1024**3, "cpu_seconds": 10}]


@pytest.mark.integration
def test_all_that_one_call_asks_for_has_one_budget() -> None:
    source, limits, budget = PHOTO, Limits(), CpuBudget(0.001)
    make = {"layers": {}, "limits": limits, "budget": budget}
    pictures.transform(source, parse("w_50"), "png", **make)  # type: ignore[arg-type]
    with pytest.raises(ApiError, match="Too much work for one call"):
        pictures.transform(source, parse("w_51"), "png", **make)  # type: ignore[arg-type]
    pictures.transform(source, parse("w_51"), "png", layers={}, limits=limits)


@pytest.mark.integration
def test_budget_includes_lost_workers_and_svg_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="990" height="990"><filter id="f">'
    drawing += b'<feTurbulence baseFrequency=".05" numOctaves="6"/></filter>'
    drawing += b'<rect width="990" height="990" filter="url(#f)"/></svg>'
    make = {"layers": {}, "limits": Limits()}
    budget = CpuBudget(0.5)  # a tenth is enough for the worker that scales the rendered SVG
    pictures.transform(drawing, parse("w_9"), "png", **make, budget=budget)  # type: ignore[arg-type]
    with pytest.raises(ApiError, match="Too much work for one call"):
        pictures.transform(drawing, parse("w_9"), "png", **make, budget=budget)  # type: ignore[arg-type]

    def lose(request: bytes) -> Reply:
        raise WorkerLostError("it took too much time or memory")

    budget = CpuBudget(60)
    monkeypatch.setattr(pictures._workers, "ask", lose)
    for _ in range(3):
        with pytest.raises(ApiError, match="too much time or memory"):
            pictures.transform(PHOTO, parse("w_9"), "png", **make, budget=budget)  # type: ignore[arg-type]
    with pytest.raises(ApiError, match="Too much work for one call"):
        pictures.transform(PHOTO, parse("w_9"), "png", **make, budget=budget)  # type: ignore[arg-type]


def test_dead_worker_fails_its_own_request_only(server: RunningCloudlet) -> None:
    upload(PHOTO, "limits/photo")
    assert get(url("limits/photo", raw_transformation="w_30")).status_code == 200
    for pid in workers_of(server):
        os.kill(pid, signal.SIGKILL)
    answers = {get(url("limits/photo", raw_transformation=f"w_{width}")).status_code for width in range(31, 36)}
    assert answers <= {200, 400}
    assert get(url("limits/photo", raw_transformation="w_40")).status_code == 200


@pytest.mark.integration
def test_upload_of_a_small_picture_needs_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    workers = pictures._workers
    monkeypatch.setattr(pictures, "_workers", SimpleNamespace(ask=lambda it: asked.append(it) or workers.ask(it)))
    with threaded_cloudlet() as server:
        cloudinary.config(**server.sdk_config)
        for number in range(3):
            upload(PHOTO, f"limits/{number}")
        assert asked == []
        get(url("limits/0", raw_transformation="w_10"))
        assert len(asked) == 1


def test_sprite_of_many_large_pictures_is_refused(server: RunningCloudlet) -> None:
    for number in range(3):
        cloudinary.uploader.upload(io.BytesIO(flat_png(5000, 5000)), public_id=f"sprite/{number}", tags="large")
    with small_requests_in_limited_memory(server), pytest.raises(BadRequest, match="too large together"):
        cloudinary.uploader.generate_sprite("large", timeout=TIMEOUT_SECONDS)
