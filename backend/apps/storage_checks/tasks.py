"""Celery tasks of storage checks. They are idempotent, and Celery does not retry them: the row is the state.

The task names are those of earlier versions, whose workers and queued messages may still be around.
"""

from __future__ import annotations

from celery import shared_task

from . import runs, usage


@shared_task(name="apps.events.tasks.examine")
def run_storage_check(check_pk: int) -> None:
    runs.run(check_pk)


@shared_task(name="apps.events.tasks.sample_usage")
def sample_usage() -> None:
    usage.sample()
