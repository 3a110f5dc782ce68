"""Processes for work on what strangers upload: started when they are needed, bounded, replaced when they fail.

A request is bytes; the answer is a JSON header and bytes. Nothing that comes back is unpickled: a worker that a bad
file took over must not take over the server.
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
LARGE_BYTES = 300 * 1024**2
"""A worker that once took so much more than at its start ends itself, so that its memory is given back."""

Answer = tuple[dict[str, Any], bytes]

log = logging.getLogger("cloudlet.workers")


class WorkerLostError(Exception):
    """The worker crashed, or took more time or memory than it may. The text says so."""


class WorkerPool:
    """At most `size` processes that run `module`, each with one request at a time. Safe to use from any thread."""

    spent_seconds: ClassVar[float] = 0.0
    """CPU time that the workers of this process have used, as far as they have answered; for `used_cpu_seconds`."""

    def __init__(self, module: str, size: int, timeout: float = TIMEOUT_SECONDS) -> None:
        self._module = module
        self._timeout = timeout
        self._places: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._places.put(None)

    def ask(self, request: bytes) -> Answer:
        """Return the worker's header and bytes. Raises WorkerLostError.

        The header's `cpu` is the CPU time in seconds, that of the worker's own workers included.
        """
        worker = self._places.get()
        kept: _Worker | None = None
        try:
            if worker is None or worker.has_ended:
                worker = _Worker(self._module, self._timeout)
            answer, payload = worker.ask(request)
            WorkerPool.spent_seconds += answer["cpu"]
            kept = worker
        except (OSError, EOFError, ValueError, TypeError, LookupError) as error:
            WorkerPool.spent_seconds += self._timeout  # how much it was, only the lost worker knew
            log.warning("a process of %s was given up: %r", self._module, error)
            raise WorkerLostError("it took too much time or memory") from error
        finally:
            # A worker that is interrupted in an exchange would give its answer to the next request.
            if kept is None and worker is not None:
                worker.kill()
            self._places.put(kept)
        return answer, payload

    def close(self) -> None:
        """End the workers that are idle now."""
        for worker in list(self._places.queue):
            if worker is not None:
                worker.kill()


class _Worker:
    """One process. It ends by itself when this end of the connection closes.

    The kernel bounds each wait for it, in both directions: that takes no system call before every read.
    """

    def __init__(self, module: str, timeout: float) -> None:
        ours, theirs = socket.socketpair()
        limit_waits(ours, timeout)
        with theirs:
            command = [sys.executable, "-m", module, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603
        self._connection = Connection(ours.detach())
        self._is_last = False

    @property
    def has_ended(self) -> bool:
        """Return whether it said that it would end; then put it away."""
        if self._is_last:
            self.kill()
        return self._is_last

    def ask(self, request: bytes) -> Answer:
        self._connection.send_bytes(request)
        # Both raise BlockingIOError, an OSError, when time is up.
        answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
        payload = self._connection.recv_bytes() if answer.pop("payload") else b""
        self._is_last = answer.pop("last")
        return answer, payload

    def kill(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


def limit_waits(end: socket.socket, seconds: float) -> None:
    """Make reads and writes that take longer fail with BlockingIOError."""
    whole = int(seconds)
    timeval = struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        end.setsockopt(socket.SOL_SOCKET, direction, timeval)


def serve(answer: Callable[[bytes], Answer], *, memory_bytes: int, cpu_seconds: float) -> None:
    """Run the other side: answer requests on the descriptor that the command line names until the server hangs up.

    Each request has so much CPU time, after which the kernel ends the process, and the process so much memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; its end is ours
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(1)  # answering others comes first
    at_start = _peak_bytes()  # Linux counts what the parent took before this program was loaded
    with Connection(int(sys.argv[1])) as connection, contextlib.suppress(EOFError, OSError):
        is_last = False
        while not is_last:
            request = connection.recv_bytes()
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            signal.alarm(int(TIMEOUT_SECONDS) * 3)  # also when the server is no longer there to give it up
            before = used_cpu_seconds()
            header, payload = answer(request)
            del request
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            is_last = _peak_bytes() > at_start + LARGE_BYTES
            frame = {"payload": bool(payload), "last": is_last, "cpu": used_cpu_seconds() - before}
            connection.send_bytes(json.dumps({**header, **frame}).encode())
            if payload:
                connection.send_bytes(payload)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def used_cpu_seconds() -> float:
    """Return the CPU time of this process and of what it has asked workers for."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + WorkerPool.spent_seconds
