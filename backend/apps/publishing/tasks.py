"""Background work: ids in, one call of the domain, safe to run twice. What is retried is the row, never the task."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command

from apps.events import issuing
from apps.storage_checks import examinations, usage
from apps.wallets import passes

from . import deletions, invalidation, publisher, sweep


@shared_task(name="apps.events.tasks.publish")
def publish(ticket_pks: list[int]) -> None:
    publisher.publish_many(ticket_pks)


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


@shared_task(name="apps.events.tasks.clear_sessions")
def clear_sessions() -> None:
    call_command("clearsessions")


@shared_task(name="apps.events.tasks.examine")
def examine(examination_pk: int) -> None:
    examinations.examine(examination_pk)


@shared_task(name="apps.events.tasks.sample_usage")
def sample_usage() -> None:
    usage.sample()


@shared_task(name="apps.events.tasks.forget_issued_lists")
def forget_issued_lists() -> None:
    issuing.forget_issued_lists()


@shared_task(name="apps.events.tasks.create_google_class")
def create_google_class(event_pk: int) -> None:
    passes.create_google_class(event_pk)
