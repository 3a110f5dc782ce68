"""A URL path converter for primary keys.

`int` also matches numbers that are larger than any key. SQLite's driver raises OverflowError for those, which would be
a status 500 instead of 404.
"""

from __future__ import annotations

from django.db.models import BigAutoField
from django.urls.converters import IntConverter


class RowIdConverter(IntConverter):
    """An integer that fits into a BigAutoField; registered as `row_id`."""

    def to_python(self, value: str) -> int:
        """Return the number. Raises ValueError, which Django treats as no match, if it is too large for a key."""
        number: int = super().to_python(value)
        if number > BigAutoField.MAX_BIGINT:
            raise ValueError(value)
        return number
