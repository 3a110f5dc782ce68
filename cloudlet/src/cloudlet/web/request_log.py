"""A log of the last calls in memory, which the console shows."""

import collections
import dataclasses
import itertools
import time


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One finished call. ``error`` is the message that the client received, or ""."""

    number: int
    time: float
    method: str
    path: str
    status: int
    milliseconds: float
    request_id: str
    error: str


class RequestLog:
    """The last ``size`` calls, and totals since the start."""

    def __init__(self, size: int = 500) -> None:
        self._calls: collections.deque[Call] = collections.deque(maxlen=size)
        self._numbers = itertools.count(1)
        self.total = 0
        self.bytes_sent = 0

    def record(
        self,
        *,
        method: str,
        path: str,
        status: int,
        milliseconds: float,
        request_id: str,
        error: str = "",
        sent: int = 0,
    ) -> None:
        self.total += 1
        self.bytes_sent += sent
        self._calls.append(
            Call(next(self._numbers), time.time(), method, path, status, round(milliseconds, 2), request_id, error)
        )

    def since(self, number: int) -> list[Call]:
        """Return the calls with a higher number, oldest first."""
        return [call for call in list(self._calls) if call.number > number]
