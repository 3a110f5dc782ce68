"""Ids of rows in addresses: as `int`, but no larger than the database's own, so that others lead nowhere.

Not every database says of a number that it has no room for that there is no such row; SQLite's driver raises.
"""

from __future__ import annotations

from django.db.models import BigAutoField
from django.urls.converters import IntConverter


class RowIdConverter(IntConverter):
    """Known as `row_id` in addresses."""

    def to_python(self, value: str) -> int:
        """Raises ValueError, which Django takes for an address of something else."""
        number: int = super().to_python(value)
        if number > BigAutoField.MAX_BIGINT:
            raise ValueError(value)
        return number
