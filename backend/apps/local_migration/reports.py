"""A file that tells what a run did to each ticket, one line a ticket, written as it happens."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = ("ticket", "event", "finding", "outcome", "local_file", "message")


class Report:
    """A CSV file that is appended to, so that the runs of one migration add up. A context manager.

    Raises OSError when the file can't be written, at once and not after an hour.
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
        """Write one ticket's line, so that it is there even if the program dies right after."""
        self._writer.writerow(row)
        self._file.flush()
