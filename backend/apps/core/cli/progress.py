"""Shows how far a long run is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from django.core.management.base import OutputWrapper
from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts from 0 to `total` on `stream`, with the rate and the time left. A context manager."""

    def __init__(
        self, total: int, unit: str, stream: OutputWrapper, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._unit = unit
        self._stream = stream
        self._clock = clock
        self._began = self._told = clock()
        self._done = 0
        # A bar is redrawn in place, which the wrapper's line endings would tear.
        self._bar = tqdm(total=total, unit=unit, file=sys.stderr, dynamic_ncols=True) if stream.isatty() else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
        elif self._clock() - self._told >= SECONDS_BETWEEN_LINES:
            self._told = self._clock()
            self.say(self._line())

    def say(self, text: str) -> None:
        """Write a line without tearing the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            self._stream.write(text)
            self._stream.flush()

    def _line(self) -> str:
        rate = self._done / max(self._clock() - self._began, 1e-9)
        left = max(0, self._total - self._done) / rate
        return f"{self._done} of {self._total} {self._unit}s, {rate:.1f} a second, {left / 60:.0f} min left"
