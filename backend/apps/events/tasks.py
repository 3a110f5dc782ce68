"""Background work: ids in, one call of the domain, safe to run twice. What is retried is the row, never the task."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command

from . import tickets, wallets
from .auditing import examinations, usage
from .publishing import cascades, deletions, publisher, sweep


@shared_task
def publish(ticket_pks: list[int]) -> None:
    publisher.publish_many(ticket_pks)


@shared_task
def notice_changes() -> None:
    cascades.notice_changes()


@shared_task
def republish_changed() -> None:
    cascades.republish_changed()


@shared_task
def publish_due() -> None:
    sweep.requeue_due()


@shared_task
def delete_due() -> None:
    deletions.work_off_outbox()


@shared_task
def clear_sessions() -> None:
    call_command("clearsessions")


@shared_task
def examine(examination_pk: int) -> None:
    examinations.examine(examination_pk)


@shared_task
def sample_usage() -> None:
    usage.sample()


@shared_task
def forget_issued_lists() -> None:
    tickets.forget_issued_lists()


@shared_task
def create_google_class(event_pk: int) -> None:
    wallets.create_google_class(event_pk)
