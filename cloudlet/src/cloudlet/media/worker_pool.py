"""A pool of worker processes for untrusted files. They start on demand, have limits, and are replaced if they fail.

A request is bytes. A reply is a JSON header and bytes, and is never unpickled, so that a worker that a malicious file
has taken over cannot take over the server.
"""

import contextlib
import json
import logging
import os
import queue
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, ClassVar

TIMEOUT_SECONDS = 20.0
MAX_GROWTH_BYTES = 300 * 1024**2
"""A worker whose memory has grown by more than this exits after its reply, to return the memory to the system."""

Reply = tuple[dict[str, Any], bytes]

log = logging.getLogger("cloudlet.workers")


class WorkerLostError(Exception):
    """The worker crashed, or exceeded its time or memory."""


class WorkerPool:
    """At most `size` processes that run `module`, each with one request at a time. It is thread-safe."""

    spent_seconds: ClassVar[float] = 0.0
    """The CPU time of the finished requests to all pools of this process, for `used_cpu_seconds`."""

    def __init__(self, module: str, size: int, timeout: float = TIMEOUT_SECONDS) -> None:
        self._module = module
        self._timeout = timeout
        self._slots: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)

    def ask(self, request: bytes) -> Reply:
        """Send a request to a worker and return its reply. Raises WorkerLostError.

        `cpu` in the header is the CPU time in seconds, including that of the worker's own workers.
        """
        worker = self._slots.get()
        kept: _Worker | None = None
        try:
            if worker is None or worker.is_finished:
                worker = _Worker(self._module, self._timeout)
            answer, payload = worker.ask(request)
            WorkerPool.spent_seconds += answer["cpu"]
            kept = worker
        except (OSError, EOFError, ValueError, TypeError, LookupError) as error:
            WorkerPool.spent_seconds += self._timeout  # an upper bound, since the lost worker cannot report it
            log.warning("a worker process of %s failed: %r", self._module, error)
            raise WorkerLostError("it took too much time or memory") from error
        finally:
            # After an interrupted exchange, the worker's reply would be taken for that of the next request.
            if kept is None and worker is not None:
                worker.kill()
            self._slots.put(kept)
        return answer, payload

    def close(self) -> None:
        """Kill the idle workers."""
        for worker in list(self._slots.queue):
            if worker is not None:
                worker.kill()


class _Worker:
    """One process. It exits when this end of the connection is closed.

    The kernel enforces the timeout of reads and writes, which avoids a system call before each of them.
    """

    def __init__(self, module: str, timeout: float) -> None:
        ours, theirs = socket.socketpair()
        limit_waits(ours, timeout)
        with theirs:
            command = [sys.executable, "-m", module, str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - runs this interpreter
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        self._connection = Connection(ours.detach())
        self._is_last = False

    @property
    def is_finished(self) -> bool:
        """Return whether the worker has announced its exit, or was killed while it waited. If so, clean it up."""
        is_finished = self._is_last or self._process.poll() is not None
        if is_finished:
            self.kill()
        return is_finished

    def ask(self, request: bytes) -> Reply:
        self._connection.send_bytes(request)
        # Both raise BlockingIOError, an OSError, on timeout.
        answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
        payload = self._connection.recv_bytes() if answer.pop("payload") else b""
        self._is_last = answer.pop("last")
        return answer, payload

    def kill(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


def limit_waits(end: socket.socket, seconds: float) -> None:
    """Set the timeout after which reads and writes raise BlockingIOError."""
    whole = int(seconds)
    timeval = struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        end.setsockopt(socket.SOL_SOCKET, direction, timeval)


def serve(answer: Callable[[bytes], Reply], *, memory_bytes: int, cpu_seconds: float) -> None:
    """Serve requests in a worker process, on the descriptor that the command line names, until the server closes it.

    The kernel kills the process if a request takes more CPU time. The process cannot allocate more memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C the server exits, which closes the connection
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(1)  # the server has priority
    at_start = _peak_bytes()  # not zero: on Linux, it includes the parent's memory before exec
    with Connection(int(sys.argv[1])) as connection, contextlib.suppress(EOFError, OSError):
        is_last = False
        while not is_last:
            request = connection.recv_bytes()
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            signal.alarm(int(TIMEOUT_SECONDS) * 3)  # in case the server is gone and cannot kill this process
            before = used_cpu_seconds()
            header, payload = answer(request)
            del request
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            is_last = _peak_bytes() > at_start + MAX_GROWTH_BYTES
            frame = {"payload": bool(payload), "last": is_last, "cpu": used_cpu_seconds() - before}
            connection.send_bytes(json.dumps({**header, **frame}).encode())
            if payload:
                connection.send_bytes(payload)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def used_cpu_seconds() -> float:
    """Return the CPU time of this process and of the requests to its workers."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + WorkerPool.spent_seconds
