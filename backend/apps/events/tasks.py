"""Celery tasks. They are idempotent, and are not retried themselves: the rows are.

Task names must not change: queued messages and workers of earlier versions use them.
"""

from __future__ import annotations

from celery import shared_task

from . import issuing


@shared_task(name="apps.events.tasks.forget_issued_lists")
def forget_issued_lists() -> None:
    issuing.forget_issued_lists()
