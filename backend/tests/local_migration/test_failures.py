"""Test imports while storage fails or other processes work on the same tickets: nothing is lost or done twice."""

from __future__ import annotations

import io
import time
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.events import issuing
from apps.events.codes import find_ticket
from apps.events.models import EventTicket
from apps.local_migration import importer, plans
from apps.local_migration.plans import Outcome, Selection
from apps.publishing import requests, ticket_rendering
from apps.publishing.outcomes import TICKETS
from cloudlet.testing import RunningCloudlet
from tests.faults import faults
from tests.local_tickets import local_path, make_local_ticket
from ticketkit import RenderingError

from .command import migrate

pytestmark = pytest.mark.django_db


def test_wrong_credentials_stop_the_run(cloudlet: RunningCloudlet, settings: Any) -> None:
    account = settings.CLOUDINARY_ACCOUNT
    settings.CLOUDINARY_ACCOUNT = type(account)(
        "elsewhere", account.api_key, account.api_secret, False, account.upload_prefix, account.cname
    )
    for _ in range(3):
        make_local_ticket()
    with pytest.raises(CommandError) as caught:
        migrate()
    assert "❌ Error uploading QR code to Cloudinary: Invalid cloud_name" in str(caught.value)
    assert "CLOUDINARY_* credentials" in str(caught.value)
    assert EventTicket.objects.filter(next_attempt_at=None).count() == 2, "the other tickets were tried"

    settings.CLOUDINARY_ACCOUNT = account
    assert "3 moved" in migrate()


def test_one_failing_ticket_does_not_stop_the_others(cloudlet: RunningCloudlet) -> None:
    poison, fine = make_local_ticket(), make_local_ticket()
    refusal = {"call": "upload", "kind": "error", "status": 400, "message": "Invalid image file", "count": 1}
    with faults(cloudlet, refusal), pytest.raises(CommandError, match="1 of 2 tickets are not done"):
        migrate()
    fine.refresh_from_db(), poison.refresh_from_db()
    assert (fine.state, poison.state) == (EventTicket.State.READY, EventTicket.State.FAILED)
    assert "Invalid image file" in poison.reason
    assert "1 moved" in migrate()
    poison.refresh_from_db()
    assert find_ticket(str(poison.ticket_id)) == (poison, True)


@pytest.mark.parametrize("trouble", ["refusal", "bug"])
def test_failure_is_reported_once_on_the_console_or_in_the_log(
    cloudlet: RunningCloudlet, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    ticket = make_local_ticket()
    out = io.StringIO()
    error = RenderingError("no glyph for U+E000") if trouble == "refusal" else KeyError("no glyph for U+E000")
    with (
        mock.patch.object(ticket_rendering, "render", side_effect=error),
        pytest.raises(CommandError, match="1 of 1 tickets"),
    ):
        call_command("migrate_tickets_to_cloudinary", stdout=out, stderr=out, workers=1)
    said = out.getvalue().splitlines() + [record.getMessage() for record in caplog.records]
    assert len([line for line in said if str(ticket.ticket_id) in line and "QR code file" not in line]) == 1
    assert "no glyph for U+E000" in out.getvalue() + caplog.text


def test_run_waits_for_a_rate_limit_without_failures(cloudlet: RunningCloudlet) -> None:
    make_local_ticket(), make_local_ticket()
    began = time.monotonic()
    with faults(cloudlet, {"call": "upload", "kind": "rate_limit", "count": 1, "reset": 3}):
        said = migrate()
    assert "Cloudinary limits the rate of calls: waiting" in said
    assert "2 moved" in said
    assert 1.5 < time.monotonic() - began < 20


def test_temporary_errors_are_retried(cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.local_migration.retry.FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("apps.storage.retry.FIRST_WAIT_SECONDS", 0.01)
    for _ in range(10):
        make_local_ticket()
    errors = [
        {"call": "upload", "kind": "error", "status": 503, "rate": 0.2},
        {"call": "upload", "kind": "drop_after", "rate": 0.1},
        {"call": "delivery", "kind": "error", "status": 500, "rate": 0.1},
    ]
    with faults(cloudlet, *errors):
        assert "10 moved" in migrate()


def test_storage_outage_stops_the_run(cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.local_migration.retry.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr("apps.storage.retry.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(importer, "MAX_CONSECUTIVE_FAILURES", 3)
    for _ in range(5):
        make_local_ticket()
    down = {"call": "upload", "kind": "error", "status": 503, "message": "Down for maintenance"}
    with faults(cloudlet, down), pytest.raises(CommandError, match=r"Stopped early.*Down for maintenance"):
        migrate()
    assert EventTicket.objects.filter(next_attempt_at=None).count() == 2, "the other tickets were tried"
    assert "5 moved" in migrate()


def test_blocked_pdf_delivery_is_explained(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    blocked = {"call": "delivery", "kind": "block_pdf"}
    with faults(cloudlet, blocked), pytest.raises(CommandError, match="PDF and ZIP"):
        migrate("--delete-local")
    assert local_path(ticket).exists()
    assert "1 moved" in migrate()


def test_run_waits_for_a_ticket_leased_by_another_worker(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    requests.request_own_files([ticket])
    TICKETS.claim_these([ticket.pk])
    EventTicket.objects.filter(pk=ticket.pk).update(lease_until=timezone.now() + timedelta(seconds=1))
    assert "1 moved" in migrate()


def test_ticket_reissued_after_planning_does_not_get_its_void_code_back(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    (planned,) = plans.plan(Selection())
    issuing.reissue(ticket)
    (result,) = importer.apply([planned], Selection())
    assert result.outcome is Outcome.OVERTAKEN
    assert find_ticket(str(ticket.ticket_id)) == (ticket, False)


def test_ticket_deleted_after_planning_is_left_alone(cloudlet: RunningCloudlet) -> None:
    ticket = make_local_ticket()
    (planned,) = plans.plan(Selection())
    ticket.delete()
    (result,) = importer.apply([planned], Selection())
    assert result.outcome is Outcome.OVERTAKEN
