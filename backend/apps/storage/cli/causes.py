"""Report failures of storage in commands: one line for each cause, with a count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from django.core.management.base import CommandError

from apps.storage import gateway

# What differs between failures that have the same cause.
OF_ONE_TICKET = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(_[0-9a-f]{16,64})?")
# A connection that breaks is told in several ways, by the moment at which it does.
OF_ONE_CONNECTION = re.compile(r"(?<=Unexpected error - )\w+\(.*\)")


def cause_of(error: str) -> str:
    """Return the error without what names a single ticket or tells how a single connection broke."""
    return OF_ONE_CONNECTION.sub("…", OF_ONE_TICKET.sub("…", error))


def require_storage() -> None:
    """Raise CommandError, in one line with the cure, when nothing answers where storage should be."""
    try:
        gateway.check_reachable()
    except gateway.MediaError as error:
        raise CommandError(str(error)) from error


class Causes:
    """Report the first failure of each cause at once, and the number of the others at the end. A context manager."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._failures: Counter[str] = Counter()

    def __enter__(self) -> Causes:
        return self

    def __exit__(self, *_: object) -> None:
        for cause, number in self._failures.items():
            if number > 1:
                self._say(f"{number - 1} more for the same reason: {cause}")

    def tell(self, subject: str, error: str) -> None:
        """Report the error of the subject, unless another one failed for the same cause."""
        cause = cause_of(error)
        self._failures[cause] += 1
        if self._failures[cause] == 1:
            self._say(f"{subject}: {error}")
