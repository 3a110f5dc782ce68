"""The audit log of tickets and events: Django's admin history, also for changes that were not made in the admin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User

ROWS_PER_QUERY = 500
REISSUED = "Re-issued: it has a new code, and earlier copies and links are invalid."
RERENDERED = "Files re-rendered, with the same code."


def note(user: User | AnonymousUser, rows: Iterable[models.Model], message: str) -> None:
    """Log for each of the rows that the user changed it; `message` says how."""
    batch: list[models.Model] = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS_PER_QUERY:
            _write(user, batch, message)
            batch = []
    _write(user, batch, message)


def _write(user: User | AnonymousUser, rows: list[models.Model], message: str) -> None:
    if rows:
        LogEntry.objects.log_actions(cast(int, user.pk), rows, CHANGE, change_message=message)
