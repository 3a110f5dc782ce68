"""Iterate over any number of rows in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

ROWS_PER_QUERY = 500

M = TypeVar("M", bound=Model)


def in_chunks(queryset: QuerySet[M], limit: int | None = None) -> Iterator[M]:
    """Yield the rows by ascending primary key, at most `limit` of them.

    Uses keyset pagination: no cursor stays open, and a row that changes meanwhile is not yielded twice.
    """
    queryset = queryset.order_by("pk")
    last, left = 0, limit
    while left is None or left > 0:
        chunk = list(queryset.filter(pk__gt=last)[: ROWS_PER_QUERY if left is None else min(ROWS_PER_QUERY, left)])
        if not chunk:
            return
        yield from chunk
        last = chunk[-1].pk
        left = None if left is None else left - len(chunk)
