"""An adaptive concurrency limit for calls to storage: AIMD congestion control as in TCP (Chiu and Jain, 1989).

While calls succeed, the limit rises by one for each round trip. An error of the server halves it, and latency of
several times the idle latency lowers it, at most once for each round trip. A rate limit pauses all calls until it is
lifted. This module imports nothing of the project.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable

INITIAL_LIMIT = 8
ERROR_FACTOR, LATENCY_FACTOR = 0.5, 0.8  # which the limit is multiplied by
# Latency is high if the average is this many times the recent minimum, and this many seconds above it.
SLOW_RATIO, SLOW_MARGIN_SECONDS = 3.0, 0.5
SMOOTHING = 0.1  # weight of the newest latency in the moving average
MINIMUM_WINDOW_SECONDS = 30.0  # a minimum is forgotten after one to two windows
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 60.0  # for rate limits that do not say when they are lifted
MAX_RETRY_AFTER_SECONDS = 3600.0  # for rate limits that do; quotas are hourly, so a longer time is an error


class Signal(enum.Enum):
    """What the response to a call says about the load of the server."""

    FINE = enum.auto()
    OVERLOADED = enum.auto()
    RATE_LIMITED = enum.auto()


class ThrottledError(Exception):
    """The call was not made: calls are paused by a rate limit, or none of the running ones ended in time.

    `retry_after` is in seconds.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class AdaptiveLimit:
    """Limits the concurrent calls of all threads of this process to at most `maximum`, fewer under load.

    A thread calls `acquire` before its call and `release` after it.
    """

    def __init__(self, maximum: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.maximum = maximum
        self._clock = clock
        self._changed = threading.Condition()
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Return to the initial limit, and forget latencies and pauses."""
        with self._changed:
            self._limit = float(min(INITIAL_LIMIT, self.maximum))
            self._is_slow_start = True
            self._lowered_at = self._paused_until = self._full_at = float("-inf")
            self._pause = FIRST_PAUSE_SECONDS
            self._latencies: dict[str, _Latency] = {}

    @property
    def limit(self) -> int:
        """The number of concurrent calls that are allowed now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """The number of calls between `acquire` and `release`."""
        return self._in_flight

    def retry_after(self) -> float:
        """Return the seconds until a rate limit's pause ends, 0 if there is none."""
        return max(0.0, self._paused_until - self._clock())

    def acquire(self, timeout_seconds: float) -> float:
        """Wait until a call is allowed, and return the time at which it was, for `release`.

        Raises ThrottledError after `timeout_seconds`, or at once if the pause of a rate limit lasts longer than that.
        """
        with self._changed:
            deadline = self._clock() + timeout_seconds
            while True:
                now = self._clock()
                pause = self._paused_until - now
                if pause <= 0 and self._in_flight < self.limit:
                    self._in_flight += 1
                    if self._in_flight >= self.limit:
                        self._full_at = now
                    return now
                if pause > deadline - now or deadline <= now:
                    raise ThrottledError(max(pause, 1.0))
                self._changed.wait(pause if pause > 0 else deadline - now)

    def release(self, acquired_at: float, kind: str, signal: Signal, retry_after: float | None = None) -> None:
        """End the call, and adapt the limit to what its response says.

        `retry_after` is what a rate limit says, in seconds. Latencies are only compared between calls of the same
        `kind`, because a large file takes longer than a small one.
        """
        with self._changed:
            now = self._clock()
            self._in_flight -= 1
            if signal is Signal.FINE:
                self._learn(kind, acquired_at, now)
            else:
                self._lower(ERROR_FACTOR, acquired_at, now)
            if signal is Signal.RATE_LIMITED:
                self._pause_calls(retry_after, acquired_at, now)
                self._changed.notify_all()  # threads that cannot wait that long must raise at once
            elif (free := self.limit - self._in_flight) > 0:
                self._changed.notify(free)  # not all: a thundering herd of idle wake-ups costs a whole core

    def _learn(self, kind: str, acquired_at: float, now: float) -> None:
        if (latency := self._latencies.get(kind)) is None:
            latency = self._latencies[kind] = _Latency(now)
        latency.add(now - acquired_at, now)
        self._pause = FIRST_PAUSE_SECONDS
        if latency.is_high():
            # Not below the initial limit: the latency may be that of the network, which fewer calls do not shorten.
            self._lower(LATENCY_FACTOR, acquired_at, now, floor=min(self._limit, INITIAL_LIMIT))
        elif self._full_at >= acquired_at:  # do not raise a limit that is not reached
            step = 1.0 if self._is_slow_start else 1.0 / self._limit
            self._limit = min(float(self.maximum), self._limit + step)

    def _lower(self, factor: float, acquired_at: float, now: float, floor: float = 1.0) -> None:
        """Lower the limit once for each round trip: a call from before the last reduction says nothing about it."""
        self._is_slow_start = False
        if acquired_at >= self._lowered_at:
            self._limit = max(floor, self._limit * factor)
            self._lowered_at = now

    def _pause_calls(self, retry_after: float | None, acquired_at: float, now: float) -> None:
        if retry_after is None:
            if acquired_at < self._paused_until:
                return  # another call of the same round trip has started the pause
            retry_after = self._pause
            self._pause = min(MAX_PAUSE_SECONDS, self._pause * 2)
        self._paused_until = max(self._paused_until, now + min(retry_after, MAX_RETRY_AFTER_SECONDS))


class _Latency:
    """The moving average and the recent minimum of latencies."""

    def __init__(self, now: float) -> None:
        self._window_start = now
        self._minimum = self._previous_minimum = float("inf")
        self._average: float | None = None

    def add(self, seconds: float, now: float) -> None:
        if now - self._window_start > MINIMUM_WINDOW_SECONDS:
            self._window_start, self._previous_minimum, self._minimum = now, self._minimum, float("inf")
        self._minimum = min(self._minimum, seconds)
        self._average = seconds if self._average is None else self._average + SMOOTHING * (seconds - self._average)

    def is_high(self) -> bool:
        minimum = min(self._minimum, self._previous_minimum)
        return self._average is not None and self._average > max(SLOW_RATIO * minimum, minimum + SLOW_MARGIN_SECONDS)
