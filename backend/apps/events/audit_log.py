"""Who did what to a ticket or an event: the history that the back office shows, also of what was done elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User

BATCH = 500
REISSUED = "Re-issued: it has a new code, and earlier copies and links are void."
MADE_ANEW = "Files recreated, with the same code."


def note(user: User | AnonymousUser, rows: Iterable[models.Model], what: str) -> None:
    """Write down that the user did this to each of the rows."""
    batch: list[models.Model] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            _write(user, batch, what)
            batch = []
    _write(user, batch, what)


def _write(user: User | AnonymousUser, rows: list[models.Model], what: str) -> None:
    if rows:
        LogEntry.objects.log_actions(cast(int, user.pk), rows, CHANGE, change_message=what)
