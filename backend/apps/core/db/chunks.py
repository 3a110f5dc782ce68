"""Read any number of rows in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

CHUNK = 500

Row = TypeVar("Row", bound=Model)


def in_chunks(found: QuerySet[Row], limit: int | None = None) -> Iterator[Row]:
    """Yield the rows by ascending key, at most `limit`. No query stays open, and rows that change are not met twice."""
    found = found.order_by("pk")
    last, left = 0, limit
    while left is None or left > 0:
        chunk = list(found.filter(pk__gt=last)[: CHUNK if left is None else min(CHUNK, left)])
        if not chunk:
            return
        yield from chunk
        last = chunk[-1].pk
        left = None if left is None else left - len(chunk)
