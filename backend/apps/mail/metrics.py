"""What counts about mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apps.core.telemetry.metrics import Metric, gauges_of

from .sending import backlog

HELP: Final = {
    "mail_pending": "Messages that the mail server has not taken yet",
    "mail_oldest": "Seconds that the oldest of them has waited",
}


def gauges() -> Iterator[Metric]:
    """Yield the backlog, as the database knows it."""
    yield from gauges_of(backlog(), HELP)
