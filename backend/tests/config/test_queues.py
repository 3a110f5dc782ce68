"""Test that the interactive queue, for which buyers wait, is kept free of long tasks."""

from __future__ import annotations

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
