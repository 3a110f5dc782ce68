"""Test that a real worker, started as documented, sends mail to a real server."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from django.conf import settings as django_settings
from django.core.mail import send_mail

from apps.mail.models import OutgoingMail
from config.email_settings import OUTBOX
from tests.workers import wait_until, working

from .server import mail_server

pytestmark = pytest.mark.integration


@pytest.mark.django_db(transaction=True)
def test_worker_of_the_interactive_queue_sends_mail(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EMAIL_BACKEND = OUTBOX
    with mail_server() as server:
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{server.port}")
        with working("filesystem://", "interactive"):
            send_mail("Your code", "It is 4711.", None, ["ann@example.org"])
            wait_until(lambda: not OutgoingMail.objects.exists(), 90, "the message sent and deleted")
    assert [message["To"] for message in server.received] == ["ann@example.org"]


def test_workers_know_every_scheduled_task() -> None:
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(current_app.tasks)
