"""Show the progress of a long run: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from django.core.management.base import OutputWrapper
from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """A context manager that counts from 0 to `total` on `stream`, with the rate and the time left."""

    def __init__(
        self, total: int, unit: str, stream: OutputWrapper, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._unit = unit
        self._stream = stream
        self._clock = clock
        self._began = self._written_at = clock()
        self._done = 0
        # Not to `stream`: its wrapper ends every write with a newline, and a bar is redrawn in place.
        self._bar = tqdm(total=total, unit=unit, file=sys.stderr, dynamic_ncols=True) if stream.isatty() else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        """Count one more unit as done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
        elif self._clock() - self._written_at >= SECONDS_BETWEEN_LINES:
            self._written_at = self._clock()
            self.say(self._line())

    def say(self, text: str) -> None:
        """Write a line above the bar, or to the stream if there is no bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            self._stream.write(text)
            self._stream.flush()

    def _line(self) -> str:
        rate = self._done / max(self._clock() - self._began, 1e-9)
        left = max(0, self._total - self._done) / rate
        return f"{self._done} of {self._total} {self._unit}s, {rate:.1f} a second, {left / 60:.0f} min left"
