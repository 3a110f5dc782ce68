"""Background work: one call each, safe to run twice. What is retried is the row, never the task."""

from __future__ import annotations

from celery import shared_task

from . import sending


@shared_task
def send_due() -> None:
    sending.send_due()


@shared_task
def sweep() -> None:
    sending.MAIL.sweep()
