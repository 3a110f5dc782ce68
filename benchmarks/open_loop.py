"""Requests at a constant rate, whatever the answers do: a slow answer delays no later one, and is not hidden by it."""

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
    """In milliseconds, from the moment when each request was due to the last byte of its answer."""

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
    """Ask for the URLs in turns, `rate` times a second, for so long; ends early when `go_on` says so, once a second.

    `go_on` is asked by a thread of its own, so that no request waits for its answer. Every answer must have status 200.
    """
    crew = _Crew(headers)
    with _watching(go_on) as ended:
        began = time.perf_counter()
        for number, url in zip(range(int(rate * seconds)), itertools.cycle(urls), strict=False):
            moment = began + number / rate
            if ended.wait(max(0.0, moment - time.perf_counter())):
                break
            crew.ask(moment, url)
    return Latencies(crew.finish())


class _Crew:
    """Threads that ask at once for whatever is due."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers
        self._pool = urllib3.PoolManager(maxsize=THREADS, timeout=30, retries=False)
        self._due: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()
        self._answers: list[tuple[float, int]] = []
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def ask(self, moment: float, url: str) -> None:
        self._due.put((moment, url))

    def finish(self) -> list[float]:
        """The milliseconds that each answer took, when all are there."""
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join()
        self._pool.clear()
        wrong = {status for _, status in self._answers if status != 200}
        assert not wrong, f"answers with status {sorted(wrong)}"
        return [took for took, _ in self._answers]

    def _work(self) -> None:
        while (request := self._due.get()) is not None:
            moment, url = request
            answer = self._pool.request("GET", url, headers=self._headers)
            self._answers.append(((time.perf_counter() - moment) * 1000, answer.status))


@contextlib.contextmanager
def _watching(go_on: Callable[[], bool]) -> Iterator[threading.Event]:
    """An event that is set as soon as `go_on` says no; it is asked once a second."""
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
