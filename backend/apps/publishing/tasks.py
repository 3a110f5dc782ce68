"""Celery tasks. They are idempotent, and are not retried themselves: the rows are.

Task names must not change: queued messages and workers of earlier versions use them.
"""

from __future__ import annotations

from celery import shared_task

from . import deletions, invalidation, pipeline, sweep


@shared_task(name="apps.events.tasks.publish")
def publish(ticket_pks: list[int]) -> None:
    pipeline.publish_many(ticket_pks)


@shared_task(name="apps.events.tasks.notice_changes")
def notice_changes() -> None:
    invalidation.notice_changes()


@shared_task(name="apps.events.tasks.republish_changed")
def republish_changed() -> None:
    invalidation.republish_changed()


@shared_task(name="apps.events.tasks.publish_due")
def publish_due() -> None:
    sweep.requeue_due()


@shared_task(name="apps.events.tasks.delete_due")
def delete_due() -> None:
    deletions.process_outbox()
