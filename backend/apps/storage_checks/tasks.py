"""Background work: ids in, one call of the domain, safe to run twice. What is retried is the row, never the task.

The tasks keep the names that queued messages and workers of earlier versions know.
"""

from __future__ import annotations

from celery import shared_task

from . import examinations, usage


@shared_task(name="apps.events.tasks.examine")
def examine(examination_pk: int) -> None:
    examinations.examine(examination_pk)


@shared_task(name="apps.events.tasks.sample_usage")
def sample_usage() -> None:
    usage.sample()
