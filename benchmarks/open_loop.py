"""Send requests at a constant rate, so that a slow response neither delays later requests nor is hidden by them."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import urllib3
from django.db import connections

THREADS = 32


@dataclass(frozen=True, slots=True)
class Latencies:
    """Latencies in milliseconds, from the moment when each request was due to the last byte of its response."""

    values: Sequence[float]

    def quantile(self, share: float) -> float:
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __add__(self, other: Latencies) -> Latencies:
        return Latencies([*self.values, *other.values])

    def figures(self) -> dict[str, float]:
        shown = {name: round(self.quantile(share), 2) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
        return {"requests": len(self.values), **shown, "max": round(max(self.values), 2)}


def measure(
    urls: Sequence[str], headers: dict[str, str], rate: float, seconds: float, go_on: Callable[[], bool] = lambda: True
) -> Latencies:
    """Request the URLs in turn, `rate` times per second. Stop early when `go_on` returns False.

    A separate thread calls `go_on` once a second, so that no request waits for it. Every response must have status 200.
    """
    clients = _Clients(headers)
    with _watching(go_on) as ended:
        began = time.perf_counter()
        for number, url in zip(range(int(rate * seconds)), itertools.cycle(urls), strict=False):
            moment = began + number / rate
            if ended.wait(max(0.0, moment - time.perf_counter())):
                break
            clients.request(moment, url)
    return Latencies(clients.finish())


class _Clients:
    """Threads that send each request as soon as it is due."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers
        self._pool = urllib3.PoolManager(maxsize=THREADS, timeout=30, retries=False)
        self._due: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()
        self._responses: list[tuple[float, int]] = []
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def request(self, moment: float, url: str) -> None:
        self._due.put((moment, url))

    def finish(self) -> list[float]:
        """Wait for all responses, and return the latency of each in milliseconds."""
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join()
        self._pool.clear()
        wrong = {status for _, status in self._responses if status != 200}
        assert not wrong, f"responses with status {sorted(wrong)}"
        return [took for took, _ in self._responses]

    def _work(self) -> None:
        while (request := self._due.get()) is not None:
            moment, url = request
            response = self._pool.request("GET", url, headers=self._headers)
            self._responses.append(((time.perf_counter() - moment) * 1000, response.status))


@contextlib.contextmanager
def _watching(go_on: Callable[[], bool]) -> Iterator[threading.Event]:
    """Yield an event that is set when `go_on`, called once a second, returns False."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1.0):
            if not go_on():
                ended.set()
        connections.close_all()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield ended
    finally:
        ended.set()
        watcher.join()
