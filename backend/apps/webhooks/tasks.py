"""Background work: one call each, safe to run twice. What is retried is the row, never the task."""

from __future__ import annotations

from celery import shared_task

from . import delivery, upkeep


@shared_task
def deliver_due() -> None:
    delivery.deliver_due()


@shared_task
def sweep() -> None:
    upkeep.sweep()


@shared_task
def forget_old() -> None:
    upkeep.forget_old()
