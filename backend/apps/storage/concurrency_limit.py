"""How many calls may be under way at once: congestion control as TCP does it (AIMD; Chiu and Jain, 1989).

Every answer that comes back well raises the limit by one a round trip; every sign of trouble halves it, once a round
trip. Trouble is an error of the other side, or answers that take several times as long as they do when it is at
ease. A rate limit closes the gate for everybody until it is lifted. Imports nothing of the project.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable

FIRST_LIMIT = 8
HALVE, EASE_OFF = 0.5, 0.8
# Answers are slow when they take this many times as long as the fastest of late, and this many seconds more.
SLOW_FACTOR, SLOW_SLACK = 3.0, 0.5
SMOOTHING = 0.1  # the weight of the newest answer in the average
MEMORY = 30.0  # seconds after which a fastest answer is forgotten, at the latest after twice as many
FIRST_HOLD, LONGEST_HOLD = 1.0, 60.0  # seconds, for rate limits that don't say when they are lifted
LONGEST_WORD = 3600.0  # seconds, for those that do: limits are by the hour, and whatever says more is mistaken


class Signal(enum.Enum):
    """What an answer says about the other side."""

    FINE = enum.auto()
    OVERLOADED = enum.auto()
    RATE_LIMITED = enum.auto()


class HeldBack(Exception):
    """The call was not made: the gate is closed for `seconds` more, or nobody came out of it for so long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class AdaptiveLimit:
    """A gate for the calls of all threads of this process: at most `maximum` at once, and fewer in times of trouble."""

    def __init__(self, maximum: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.maximum = maximum
        self._clock = clock
        self._changed = threading.Condition()
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything learnt."""
        with self._changed:
            self._limit = float(min(FIRST_LIMIT, self.maximum))
            self._starting = True
            self._lowered_at = self._open_at = self._full_at = float("-inf")
            self._hold = FIRST_HOLD
            self._latencies: dict[str, _Latency] = {}

    @property
    def limit(self) -> int:
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def held_for(self) -> float:
        """Seconds until the gate opens again; 0 when it is open."""
        return max(0.0, self._open_at - self._clock())

    def enter(self, patience: float) -> float:
        """Wait for a place, and answer when it was taken. Raises HeldBack if that takes more than `patience` seconds,
        or at once if it certainly will."""
        with self._changed:
            deadline = self._clock() + patience
            while True:
                now = self._clock()
                held = self._open_at - now
                if held <= 0 and self._in_flight < self.limit:
                    self._in_flight += 1
                    if self._in_flight >= self.limit:
                        self._full_at = now
                    return now
                if held > deadline - now or deadline <= now:
                    raise HeldBack(max(held, 1.0))
                self._changed.wait(held if held > 0 else deadline - now)

    def leave(self, entered: float, kind: str, signal: Signal, hold: float | None = None) -> None:
        """Give the place back, and say how the call went. `hold` is a rate limit's own word, in seconds.

        Latencies are compared among calls of one `kind` only: a large file takes longer than a small one.
        """
        with self._changed:
            now = self._clock()
            self._in_flight -= 1
            if signal is Signal.FINE:
                self._learn(kind, entered, now)
            else:
                self._lower(HALVE, entered, now)
            if signal is Signal.RATE_LIMITED:
                self._close(hold, entered, now)
                self._changed.notify_all()  # who can't wait that long must know at once
            elif (free := self.limit - self._in_flight) > 0:
                self._changed.notify(free)  # no more than can come in: a crowd that wakes up for nothing costs a core

    def _learn(self, kind: str, entered: float, now: float) -> None:
        if (latency := self._latencies.get(kind)) is None:
            latency = self._latencies[kind] = _Latency(now)
        latency.add(now - entered, now)
        self._hold = FIRST_HOLD
        if latency.is_slow():
            # No further than to where it began: slowness alone may be distance, which fewer calls don't shorten.
            self._lower(EASE_OFF, entered, now, floor=min(self._limit, FIRST_LIMIT))
        elif self._full_at >= entered:  # a limit that nothing pushes against has no reason to rise
            self._limit = min(float(self.maximum), self._limit + (1.0 if self._starting else 1.0 / self._limit))

    def _lower(self, factor: float, entered: float, now: float, floor: float = 1.0) -> None:
        """Once a round trip: what entered before the last reduction tells nothing about the time after it."""
        self._starting = False
        if entered >= self._lowered_at:
            self._limit = max(floor, self._limit * factor)
            self._lowered_at = now

    def _close(self, hold: float | None, entered: float, now: float) -> None:
        if hold is None:
            if entered < self._open_at:
                return  # another call of the same crowd has closed the gate already
            hold = self._hold
            self._hold = min(LONGEST_HOLD, self._hold * 2)
        self._open_at = max(self._open_at, now + min(hold, LONGEST_WORD))


class _Latency:
    """A moving average, and the fastest answer of the last while."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._fastest = self._fastest_before = float("inf")
        self._average: float | None = None

    def add(self, seconds: float, now: float) -> None:
        if now - self._since > MEMORY:
            self._since, self._fastest_before, self._fastest = now, self._fastest, float("inf")
        self._fastest = min(self._fastest, seconds)
        self._average = seconds if self._average is None else self._average + SMOOTHING * (seconds - self._average)

    def is_slow(self) -> bool:
        fastest = min(self._fastest, self._fastest_before)
        return self._average is not None and self._average > max(SLOW_FACTOR * fastest, fastest + SLOW_SLACK)
