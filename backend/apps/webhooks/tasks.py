"""Celery tasks of webhooks. They are idempotent, and Celery does not retry them: the row is the state."""

from __future__ import annotations

from celery import shared_task

from . import delivery, maintenance


@shared_task
def deliver_due() -> None:
    delivery.deliver_due()


@shared_task
def sweep() -> None:
    maintenance.sweep()


@shared_task
def forget_old() -> None:
    maintenance.delete_old()
