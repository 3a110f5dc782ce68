"""Measure cloudlet's upload rate, latency, start time and memory.

The official Python SDK uploads a 1 KB PNG, with one thread and with 16, to cloudlet and to a bare Starlette endpoint
that only reads the form. Both run in their own processes and are measured in turns in the same run. Also measured: the
time from start to first response, and peak memory while a 100 MB file is uploaded and downloaded.

    python benchmarks/cloudlet_upload.py [--uploads 1500] [--rounds 3]
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cloudinary
import cloudinary.uploader
import urllib3
from PIL import Image

from cloudlet.testing import RunningCloudlet, running_cloudlet

THREADS = 16
MIB = 1024 * 1024
BARE_SERVER = """
import socket, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def upload(request):
    async with request.form() as form:
        content = await form["file"].read()
    return JSONResponse({"bytes": len(content)})

listener = socket.socket()
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
listener.bind(("127.0.0.1", 0))
listener.listen(2048)
print(listener.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/v1_1/test/image/upload", upload, methods=["POST"])])
uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run(sockets=[listener])
"""


def one_kilobyte_png() -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("L", (26, 36), os.urandom(26 * 36)).save(buffer, "PNG")
    return buffer.getvalue()


@contextlib.contextmanager
def bare_starlette() -> Iterator[str]:
    """Run the peer, which checks no signature, decodes no picture and writes nothing, and yield its URL."""
    process = subprocess.Popen([sys.executable, "-c", BARE_SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


def widen_connection_pool() -> None:
    """Raise the SDK's limit of one connection per host, so that 16 threads do not reconnect for most calls."""
    cloudinary.uploader._http.connection_pool_kw["maxsize"] = THREADS
    cloudinary.uploader._http.clear()


def uploader_to(config: dict[str, Any], picture: bytes, prefix: str) -> Callable[[int], float]:
    """Return a function that uploads once and returns the milliseconds it took."""

    def upload(number: int) -> float:
        started = time.perf_counter()
        cloudinary.uploader.upload(picture, public_id=f"{prefix}/{number}", filename="k.png", timeout=30, **config)
        return (time.perf_counter() - started) * 1000

    return upload


def rate(upload: Callable[[int], float], count: int) -> float:
    """Return the uploads per second over 16 threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        started = time.perf_counter()
        list(pool.map(upload, range(count)))
        return count / (time.perf_counter() - started)


def compare(uploads: int, rounds: int) -> dict[str, Any]:
    picture = one_kilobyte_png()
    credentials = {"cloud_name": "test", "api_key": "1234567890", "api_secret": "test-secret"}
    with running_cloudlet() as server, bare_starlette() as bare_url:
        peers = {"cloudlet": server.sdk_config, "bare": {**credentials, "upload_prefix": bare_url}}
        rates: dict[str, list[float]] = {name: [] for name in peers}
        medians: dict[str, list[float]] = {name: [] for name in peers}
        for round_number in range(rounds + 1):
            for name, config in peers.items():
                widen_connection_pool()
                upload = uploader_to(config, picture, f"{name}/{round_number}")
                single = statistics.median(upload(number) for number in range(uploads // 5))
                throughput = rate(upload, uploads if round_number else uploads // 5)
                if round_number:
                    medians[name].append(single)
                    rates[name].append(throughput)
    for name in peers:
        print(
            f"{name:9} median call {statistics.median(medians[name]):5.2f} ms,"
            f" {THREADS} threads {statistics.median(rates[name]):6.0f} uploads/s"
        )
    ratios = [ours / theirs for ours, theirs in zip(rates["cloudlet"], rates["bare"], strict=True)]
    low, high = min(ratios), max(ratios)
    print(f"ratio     {statistics.median(ratios):.2f} of the bare endpoint's rate (rounds: {low:.2f} to {high:.2f})")
    return {
        **{
            name: {"call ms": statistics.median(medians[name]), "uploads per second": statistics.median(rates[name])}
            for name in peers
        },
        "ratio": statistics.median(ratios),
    }


def time_to_first_response() -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        with running_cloudlet() as server:
            urllib3.PoolManager().request("GET", f"{server.url}/test/image/upload/none.png", timeout=10)
            times.append(time.perf_counter() - started)
    print(f"start     {statistics.median(times):.2f} s to the first response (5 starts, worst {max(times):.2f} s)")
    return statistics.median(times)


def memory_with_a_large_file() -> float:
    with tempfile.TemporaryDirectory() as folder, running_cloudlet() as server:
        path = Path(folder) / "large.bin"
        with path.open("wb") as file:
            for _ in range(100):
                file.write(os.urandom(MIB))
        before = memory(server, "VmRSS")
        result = cloudinary.uploader.upload(
            str(path), public_id="large.bin", resource_type="raw", timeout=120, **server.sdk_config
        )
        response = urllib3.PoolManager().request("GET", result["url"], timeout=120, preload_content=False)
        received = sum(len(chunk) for chunk in response.stream(MIB))
        assert received == 100 * MIB
        peak = memory(server, "VmHWM")
        print(f"memory    {before:.0f} MB at rest, {peak:.0f} MB peak during upload and download of 100 MB")
        return peak


def memory(server: RunningCloudlet, field: str) -> float:
    """Return the server process's resident memory in MB, current (VmRSS) or peak (VmHWM)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    arguments = parser.parse_args()
    figures = compare(arguments.uploads, arguments.rounds)
    figures["start s"] = time_to_first_response()
    figures["peak MB"] = memory_with_a_large_file()
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
