"""Count the calls that cloudlet received during a test or a benchmark."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

import urllib3

from cloudlet.testing import RunningCloudlet

CUT_STATUS = 0  # of a call whose connection was cut before a response
POLL_SECONDS = 0.25  # cloudlet keeps its last 500 calls


class StorageCalls:
    """Numbers of calls, in `counts` by (name, status). The names are `upload`, `destroy`, ..., else `delivery`."""

    def __init__(self, server: RunningCloudlet) -> None:
        self._url = f"{server.url}/_cloudlet/console/calls"
        self.counts: Counter[tuple[str, int]] = Counter()
        self.missed = 0
        self._last = 0
        self._over = threading.Event()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def watching(self) -> Iterator[StorageCalls]:
        self.fetch()
        self.counts.clear()  # calls before the test
        self.missed = 0
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    def outcomes(self, name: str) -> Counter[str]:
        """Return the numbers of calls of that name: `attempted`, `refused` and `cut off`."""
        self.fetch()
        totals: Counter[str] = Counter()
        for (called, status), number in list(self.counts.items()):
            if called == name:
                totals["attempted"] += number
                totals["cut off"] += number * (status == CUT_STATUS)
                totals["refused"] += number * (status >= 400)
        return totals

    def total(self, name: str) -> int:
        """Return the number of calls of that name."""
        return sum(number for (called, _), number in self.counts.items() if called == name)

    def _watch(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            self.fetch()

    def fetch(self) -> None:
        """Count the calls since the last fetch."""
        with self._lock:
            self._count_new()

    def _count_new(self) -> None:
        answer = urllib3.request("GET", f"{self._url}?since={self._last}", timeout=20)
        assert answer.status == 200, answer.data
        for call in answer.json()["calls"]:
            self.missed += call["number"] - self._last - 1
            self._last = call["number"]
            self.counts[_name(call["method"], call["path"]), call["status"]] += 1


def _name(method: str, path: str) -> str:
    parts = path.strip("/").split("/")
    if parts[0] == "v1_1":
        return parts[3] if method == "POST" and len(parts) == 4 else "admin"
    return "cloudlet" if parts[0] == "_cloudlet" else "delivery"
