"""Background work: ids in, one call of the domain, safe to run twice. What is retried is the row, never the task.

The tasks keep the names that queued messages and workers of earlier versions know.
"""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command


@shared_task(name="apps.events.tasks.clear_sessions")
def clear_sessions() -> None:
    call_command("clearsessions")
