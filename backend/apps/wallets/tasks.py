"""Celery tasks. Their names are fixed: queued messages and workers of earlier versions use them."""

from __future__ import annotations

from celery import shared_task

from . import passes


@shared_task(name="apps.events.tasks.create_google_class")
def create_google_class(event_pk: int) -> None:
    passes.create_google_class(event_pk)
