"""Background work: ids in, one call of the domain, safe to run twice. What is retried is the row, never the task.

The tasks keep the names that queued messages and workers of earlier versions know.
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
    deletions.work_off_outbox()
