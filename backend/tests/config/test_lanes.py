"""The lane of the buyers who wait is kept free of work that may take long."""

from __future__ import annotations

from django.conf import settings

# They only send work, a few statements each.
SHORT = {"apps.events.tasks.publish_due", "apps.webhooks.tasks.sweep", "apps.mail.tasks.sweep"}


def test_what_beat_sends_runs_in_the_lane_of_the_crowd() -> None:
    in_bulk = {
        entry["task"]
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if entry.get("options", {}).get("queue") == "bulk"
    }
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} == SHORT | in_bulk
    assert not SHORT & in_bulk
