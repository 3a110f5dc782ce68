"""Celery tasks. Their names are fixed: queued messages and workers of earlier versions use them."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command


@shared_task(name="apps.events.tasks.clear_sessions")
def clear_sessions() -> None:
    call_command("clearsessions")
