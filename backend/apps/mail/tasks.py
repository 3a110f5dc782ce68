"""Celery tasks of mail. They are idempotent, and Celery does not retry them: the row is the state."""

from __future__ import annotations

from celery import shared_task

from . import sending


@shared_task
def send_due() -> None:
    sending.send_due()


@shared_task
def sweep() -> None:
    sending.MAIL.sweep()
