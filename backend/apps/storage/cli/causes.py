"""Report failures of storage in commands, grouped by cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from django.core.management.base import CommandError

from apps.storage import gateway

# The parts of messages that differ between failures of the same cause: ticket ids, and the SDK's text for a broken
# connection, which depends on when it broke.
TICKET_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(_[0-9a-f]{16,64})?")
CONNECTION_ERROR = re.compile(r"(?<=Unexpected error - )\w+\(.*\)")


def cause_of(error: str) -> str:
    """Return the error without the ids of tickets and the details of broken connections."""
    return CONNECTION_ERROR.sub("…", TICKET_ID.sub("…", error))


def require_storage() -> None:
    """Raise CommandError, with what to do about it in one line, if storage cannot be reached."""
    try:
        gateway.check_reachable()
    except gateway.MediaError as error:
        raise CommandError(str(error)) from error


class Causes:
    """A context manager that reports the first failure of each cause at once, and counts the others at the end."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._failures: Counter[str] = Counter()

    def __enter__(self) -> Causes:
        return self

    def __exit__(self, *_: object) -> None:
        for cause, number in self._failures.items():
            if number > 1:
                self._write(f"{number - 1} more for the same reason: {cause}")

    def report(self, subject: str, error: str) -> None:
        """Write the subject's error, unless an earlier one has the same cause."""
        cause = cause_of(error)
        self._failures[cause] += 1
        if self._failures[cause] == 1:
            self._write(f"{subject}: {error}")
