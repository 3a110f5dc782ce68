"""manage.py publish_tickets publishes all pending tickets and deletes files, without a broker and workers."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.events import issuing
from apps.events.issuing import Holder
from apps.events.models import EventTicket
from apps.publishing import sweep, ticket_rendering
from apps.publishing.models import StoredFileDeletion
from apps.publishing.outcomes import TICKETS
from apps.storage import gateway
from apps.storage.concurrency_limit import Signal
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket
from tests.local_tickets import make_local_ticket
from tests.workers import publish
from ticketkit import RenderingError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.current_app, "send_task", mock.Mock(side_effect=OSError("no broker")))


def publish_all(**options: Any) -> str:
    out = io.StringIO()
    call_command("publish_tickets", stdout=out, stderr=out, **{"workers": 4} | options)
    return out.getvalue()


def test_pending_tickets_are_published_and_files_deleted(cloudlet: RunningCloudlet) -> None:
    deleted = make_ticket()
    publish(deleted.pk)
    deleted.delete()
    issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(20)])

    said = publish_all()

    assert "20 published" in said
    assert "2 files deleted" in said
    assert set(EventTicket.objects.values_list("state", flat=True)) == {"ready"}
    assert not StoredFileDeletion.objects.exists()
    assert "No ticket is pending." not in said
    again = publish_all()
    assert "published" not in again
    assert "No ticket is pending." in again


def test_a_limit(cloudlet: RunningCloudlet) -> None:
    issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(5)])
    assert "3 published" in publish_all(limit=3)
    assert len(sweep.pending_pks()) == 2


def test_failures_are_reported_once_and_fail_the_command(
    cloudlet: RunningCloudlet, caplog: pytest.LogCaptureFixture
) -> None:
    poison, fine, buggy = make_ticket(), make_ticket(), make_ticket()
    render = ticket_rendering.render

    def refuse(ticket: EventTicket, *template: Any) -> Any:
        if ticket.pk == poison.pk:
            raise RenderingError("no glyph for U+E000")
        if ticket.pk == buggy.pk:
            raise KeyError("bug")
        return render(ticket, *template)

    out = io.StringIO()
    with (
        mock.patch.object(ticket_rendering, "render", refuse),
        pytest.raises(CommandError, match="Not everything was done"),
    ):
        call_command("publish_tickets", stdout=out, stderr=out, workers=2)
    reported = [
        line for line in (out.getvalue() + caplog.text).splitlines() if line.startswith("Ticket ") or "ERROR" in line
    ]
    assert reported == [f"Ticket {poison.ticket_id}: no glyph for U+E000", mock.ANY]
    assert f"Ticket {buggy.ticket_id}: an error in the program" in reported[1]
    assert "no glyph" not in caplog.text
    assert "2 failed" in out.getvalue()
    assert "1 published" in out.getvalue()
    fine.refresh_from_db()
    assert fine.state == EventTicket.State.READY


def test_rate_limit_postpones_the_rest_and_fails_the_command(cloudlet: RunningCloudlet) -> None:
    issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(5)])
    gateway.limiter.release(gateway.limiter.acquire(0), "upload", Signal.RATE_LIMITED, retry_after=1800)
    out = io.StringIO()
    with pytest.raises(CommandError, match="the rest will be retried"):
        call_command("publish_tickets", stdout=out, stderr=out)
    assert "5 postponed until Cloudinary's rate limit is lifted" in out.getvalue()
    in_half_an_hour = timezone.now() + timedelta(minutes=29)
    assert EventTicket.objects.filter(attempts=0, next_attempt_at__gt=in_half_an_hour).count() == 5
    gateway.limiter.reset()
    assert "5 published" in publish_all()


def test_ticket_claimed_by_another_worker_is_skipped(cloudlet: RunningCloudlet) -> None:
    taken, free = make_ticket(), make_ticket()
    assert TICKETS.claim_these([taken.pk])
    said = publish_all()
    assert "1 claimed by another worker, or changed meanwhile" in said
    assert "1 published" in said
    taken.refresh_from_db()
    free.refresh_from_db()
    assert (taken.state, free.state) == (EventTicket.State.PENDING, EventTicket.State.READY)


def test_given_up_tickets_are_counted_and_retried_on_request(cloudlet: RunningCloudlet) -> None:
    given_up, fine = make_ticket(), make_ticket()
    with mock.patch.object(ticket_rendering, "render", side_effect=RenderingError("no glyph for U+E000")):
        publish(given_up.pk)

    said = publish_all()
    assert "1 published" in said
    assert "1 given up; the back office says why, and --given-up retries them" in said

    said = publish_all(given_up=True)
    assert "1 that were given up are retried" in said
    assert "1 published" in said
    assert "given up;" not in said
    for ticket in (given_up, fine):
        ticket.refresh_from_db()
        assert (ticket.state, ticket.attempts, ticket.reason) == (EventTicket.State.READY, 0, "")


def test_failed_deletions_fail_the_command_and_stay_pending(cloudlet: RunningCloudlet) -> None:
    make_ticket().delete()
    down = gateway.MediaError("deleting QR code from Cloudinary", "x", 503, "down")
    with mock.patch.object(gateway, "destroy", side_effect=down), pytest.raises(CommandError):
        publish_all()
    assert StoredFileDeletion.objects.count() == 2


def test_path_outside_of_media_root_does_not_block_other_deletions(cloudlet: RunningCloudlet) -> None:
    StoredFileDeletion.objects.create(kind=StoredFileDeletion.Kind.LOCAL_FILE, name="../../etc/passwd")
    make_ticket().delete()
    with pytest.raises(CommandError):
        publish_all()
    (left,) = StoredFileDeletion.objects.all()
    assert "../../etc/passwd" in left.name
    assert left.reason


def test_legacy_tickets_wait_for_their_import(cloudlet: RunningCloudlet, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    ticket = make_local_ticket()
    publish_all()
    ticket.refresh_from_db()
    assert ticket.published_at is None
