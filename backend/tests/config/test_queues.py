"""Test that workers know the scheduled tasks, and that long ones stay out of the queue for which buyers wait."""

from __future__ import annotations

from celery import current_app
from django.conf import settings

# These only send other tasks, with a few statements each.
SHORT = {"apps.events.tasks.publish_due", "apps.webhooks.tasks.sweep", "apps.mail.tasks.sweep"}


def test_scheduled_tasks_run_in_the_bulk_queue() -> None:
    in_bulk = {
        entry["task"]
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if entry.get("options", {}).get("queue") == "bulk"
    }
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} == SHORT | in_bulk
    assert not SHORT & in_bulk


def test_workers_know_every_scheduled_task() -> None:
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(current_app.tasks)
