"""Background work: ids in, one call of the domain, safe to run twice. What is retried is the row, never the task.

The tasks keep the names that queued messages and workers of earlier versions know.
"""

from __future__ import annotations

from celery import shared_task

from . import passes


@shared_task(name="apps.events.tasks.create_google_class")
def create_google_class(event_pk: int) -> None:
    passes.create_google_class(event_pk)
