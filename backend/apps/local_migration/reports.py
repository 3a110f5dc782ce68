"""Write a CSV report of a run: one line for each ticket, as soon as it is done."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = ("ticket", "event", "finding", "outcome", "local_file", "message")


class Report:
    """A CSV file that successive runs append to. A context manager.

    Open the file at once and raise OSError if it can't be written, rather than after an hour of work.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        if self._file.tell() == 0:
            self._writer.writerow(COLUMNS)

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, *row: object) -> None:
        """Write and flush one ticket's line, so that a crash does not lose it."""
        self._writer.writerow(row)
        self._file.flush()
