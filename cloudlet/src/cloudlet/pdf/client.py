"""The server's side: starts workers when they are needed, waits a bounded time, replaces those that fail."""

import json
import logging
import queue
import socket
import struct
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cloudlet.pdf.protocol import PageMissingError, PdfError

WORKERS = 2
TIMEOUT_S = 20.0

log = logging.getLogger("cloudlet.pdf")


class PdfWorkers:
    """At most `size` processes, each with one question at a time. Safe to use from any thread."""

    def __init__(self, size: int = WORKERS, timeout: float = TIMEOUT_S) -> None:
        self._timeout = timeout
        self._places: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._places.put(None)

    def ask(self, request: dict[str, Any], source: bytes | Path) -> tuple[dict[str, Any], bytes]:
        """The worker's header and bytes. Raises PdfError for a bad file, a crash or a timeout."""
        worker = self._places.get()
        try:
            worker = worker or _Worker(self._timeout)
            answer, payload = worker.ask(request, source)
        except (OSError, EOFError) as error:
            if worker is not None:
                worker.kill()
            worker = None
            log.warning("a PDF worker was given up: %r", error)
            raise PdfError("the PDF took too long or broke its reader") from error
        finally:
            self._places.put(worker)
        if "missing" in answer:
            raise PageMissingError(answer["missing"])
        if "error" in answer:
            raise PdfError(answer["error"])
        return answer, payload

    def close(self) -> None:
        """Ends the workers that are idle now."""
        for worker in list(self._places.queue):
            if worker is not None:
                worker.kill()


class _Worker:
    """One process. It ends by itself when this end of the connection closes.

    The kernel bounds each wait for it, in both directions: that takes no system call before every read.
    """

    def __init__(self, timeout: float) -> None:
        ours, theirs = socket.socketpair()
        limit_waits(ours, timeout)
        with theirs:
            command = [sys.executable, "-m", "cloudlet.pdf.worker", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603
        self._connection = Connection(ours.detach())

    def ask(self, request: dict[str, Any], source: bytes | Path) -> tuple[dict[str, Any], bytes]:
        path = str(source) if isinstance(source, Path) else None
        self._connection.send_bytes(json.dumps({**request, "path": path}).encode())
        if isinstance(source, bytes):
            self._connection.send_bytes(source)
        # Both raise BlockingIOError, an OSError, when time is up.
        answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
        payload = self._connection.recv_bytes() if answer.get("payload") else b""
        return answer, payload

    def kill(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


def limit_waits(end: socket.socket, seconds: float) -> None:
    """Makes reads and writes that take longer fail with BlockingIOError."""
    whole = int(seconds)
    timeval = struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        end.setsockopt(socket.SOL_SOCKET, direction, timeval)
