"""Every new ticket gets both files; failures are recorded and retried; each file is uploaded by one worker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

import ticketkit
from apps.core.jobs import dispatch
from apps.events import issuing
from apps.events.codes import code_of
from apps.events.issuing import Holder
from apps.events.models import Event, EventTicket
from apps.publishing import outcomes as publishing_outcomes
from apps.publishing import queues, requests, sweep, tasks, ticket_rendering
from apps.publishing.outcomes import TICKETS
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket
from tests.pictures import EMPTY_PAGE, codes_in_pdf, codes_in_png
from tests.races import at_once
from tests.workers import publish
from ticketkit import EventTemplate, FontError, RenderedTicket, RenderingError, TicketDetails

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Collect the ticket keys of each publishing task that is sent."""
    calls: list[list[int]] = []

    def send(task: str, arguments: list[Any], queue: str) -> None:
        if task == "apps.events.tasks.publish":
            calls.append(arguments[0])

    monkeypatch.setattr(dispatch, "send", send)
    return calls


def test_published_files_have_the_documented_public_ids(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    assert ticket.state == EventTicket.State.PENDING

    assert publish(ticket.pk) == EventTicket.State.READY

    ticket.refresh_from_db()
    assert ticket.qr_code_cloudinary_id == f"tickets/qr_codes/{ticket.event_id}/ticket_{ticket.ticket_id}"
    assert ticket.pdf_ticket_cloudinary_id == f"tickets/pdf/{ticket.event_id}/ticket_{ticket.ticket_id}"
    assert ticket.has_files
    png, pdf = ticket.qr_code.read(), ticket.pdf_ticket.read()
    assert codes_in_png(png) == codes_in_pdf(pdf) == [code_of(ticket)]
    assert ".png" in ticket.qr_code.url
    assert f"/v{ticket.qr_code_version}/" in ticket.qr_code.url
    assert f"/v{ticket.pdf_ticket_version}/" in ticket.pdf_ticket.url


def test_each_way_of_creating_a_ticket_sends_one_task_after_commit(sent: list[list[int]]) -> None:
    event = make_event()
    with transaction.atomic():
        saved = EventTicket(event=event, holder_name="Saved")
        saved.save()
        created = EventTicket.objects.create(event=event, holder_name="Created")
        assert sent == []
    assert sent == [[saved.pk], [created.pk]]

    many = issuing.issue_many(event, [Holder(name=f"Guest {n}") for n in range(220)])
    assert sent[2:] == [[ticket.pk for ticket in many[start : start + 100]] for start in (0, 100, 200)]

    saved.save()
    assert len(sent) == 5


def test_a_transaction_that_fails_sends_nothing(sent: list[list[int]]) -> None:
    event = make_event()
    with pytest.raises(RuntimeError), transaction.atomic():
        make_ticket(event=event)
        raise RuntimeError
    assert sent == []
    assert not EventTicket.objects.exists()


def test_issuing_many_is_all_or_nothing(sent: list[list[int]]) -> None:
    with pytest.raises(ValidationError):
        issuing.issue_many(make_event(), [Holder(name="Ada"), Holder(name="Bob", email="not an address")])
    assert not EventTicket.objects.exists()
    assert sent == []


def test_unresponsive_broker_trips_the_circuit_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request waits for the broker's timeout at most once, not for each task."""
    send_task = mock.Mock(side_effect=OSError("timed out"))
    monkeypatch.setattr(dispatch.current_app, "send_task", send_task)
    issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(2 * queues.TICKETS_PER_TASK + 1)])
    make_ticket()
    assert send_task.call_count == 1
    dispatch.circuit_breaker.reset()  # as after the pause
    make_ticket()
    assert send_task.call_count == 2
    assert set(EventTicket.objects.values_list("state", flat=True)) == {EventTicket.State.PENDING}


def test_tickets_issued_while_the_broker_is_down_are_sent_by_the_sweep(
    cloudlet: RunningCloudlet, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with mock.patch.object(dispatch.current_app, "send_task", side_effect=OSError("no broker")):
        ticket = make_ticket()
    later = timezone.now() + timedelta(minutes=5)
    with mock.patch.object(dispatch, "send") as send, mock.patch.object(queues, "queue_length", return_value=0):
        assert sweep.requeue_due(later) == 1
        assert sweep.requeue_due(later) == 0, "a second sweep must not send the same work again"
    send.assert_called_once()
    tasks.publish([ticket.pk])
    ticket.refresh_from_db()
    assert ticket.state == EventTicket.State.READY


def test_publishing_twice_uploads_once(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    with mock.patch.object(gateway, "upload") as upload:
        assert publish(ticket.pk) is None
    upload.assert_not_called()


def test_storage_failure_is_recorded_and_retried(settings: Any, cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    with mock.patch.object(gateway, "upload", side_effect=gateway.MediaError("uploading QR code", "x", 503, "down")):
        assert publish(ticket.pk) == EventTicket.State.FAILED
    ticket.refresh_from_db()
    assert "down" in ticket.reason
    assert ticket.attempts == 1
    assert ticket.next_attempt_at is not None
    assert timedelta(seconds=10) < ticket.next_attempt_at - timezone.now() < timedelta(seconds=25)
    assert ticket.lease is None
    assert publish(ticket.pk) == EventTicket.State.READY


def test_rate_limit_postpones_the_next_attempt(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    limited = gateway.MediaError("uploading QR code", "x", 420, "Rate limit exceeded", retry_after=1800)
    with mock.patch.object(gateway, "upload", side_effect=limited):
        publish(ticket.pk)
    ticket.refresh_from_db()
    assert ticket.next_attempt_at is not None
    assert ticket.next_attempt_at - timezone.now() > timedelta(minutes=29)


def test_rendering_error_is_final_and_recorded(cloudlet: RunningCloudlet) -> None:
    poison, fine = make_ticket(), make_ticket()
    with mock.patch.object(ticket_rendering, "render", side_effect=RenderingError("no glyph for U+E000")):
        assert publish(poison.pk) == EventTicket.State.FAILED
    poison.refresh_from_db()
    assert (poison.next_attempt_at, poison.reason) == (None, "no glyph for U+E000")
    tasks.publish([poison.pk, fine.pk])
    fine.refresh_from_db()
    assert fine.state == EventTicket.State.READY
    requests.rerender(poison)
    assert publish(poison.pk) == EventTicket.State.READY


def test_missing_font_is_retried(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket(event=make_event(title="Drawn without fonts at first"))
    with mock.patch.object(ticketkit, "EventTemplate", side_effect=FontError("the font is missing")):
        assert publish(ticket.pk) == EventTicket.State.FAILED
    ticket.refresh_from_db()
    assert ticket.next_attempt_at is not None
    assert ticket.reason == "the font is missing"
    assert publish(ticket.pk) == EventTicket.State.READY


def test_attempts_end_at_the_configured_number(settings: Any) -> None:
    settings.TICKET_MAX_ATTEMPTS = 2
    ticket = make_ticket()
    with mock.patch.object(
        gateway, "upload", side_effect=gateway.MediaError("uploading", "x", 400, "Invalid image file")
    ):
        publish(ticket.pk)
        publish(ticket.pk)
        assert publish(ticket.pk) is None
    ticket.refresh_from_db()
    assert (ticket.state, ticket.attempts, ticket.next_attempt_at) == (EventTicket.State.FAILED, 2, None)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "Connection refused"),
        (503, "down"),
        (401, "Invalid Signature"),
        (400, "Stale request - reported time is more than 1 hour ago"),
        (403, "The account is disabled"),
        (200, "The response is invalid"),
    ],
)
@pytest.mark.parametrize("limit", [1, 4])
def test_outage_of_any_length_gives_up_no_ticket(
    cloudlet: RunningCloudlet,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    status: int | None,
    reason: str,
    limit: int,
) -> None:
    settings.TICKET_MAX_ATTEMPTS = limit
    monkeypatch.setattr("apps.storage.retry.FIRST_WAIT_SECONDS", 0)
    ticket = make_ticket()
    with mock.patch.object(gateway, "upload", side_effect=gateway.MediaError("uploading", "x", status, reason)):
        for _ in range(limit + 5):
            assert publish(ticket.pk) == EventTicket.State.FAILED
    ticket.refresh_from_db()
    assert ticket.next_attempt_at is not None
    assert timedelta(minutes=59) < ticket.next_attempt_at - timezone.now() < timedelta(minutes=91)
    assert ticket.attempts < limit, "a worker that dies next must not use the last attempt"
    assert publish(ticket.pk) == EventTicket.State.READY


def test_programming_error_is_recorded_and_raised(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    with mock.patch.object(ticket_rendering, "render", side_effect=KeyError("bug")), pytest.raises(KeyError):
        publish(ticket.pk)
    ticket.refresh_from_db()
    assert ticket.state == EventTicket.State.FAILED
    assert "KeyError" in ticket.reason
    assert ticket.lease is None


# -- Re-rendering and re-issuing ---------------------------------------------------------------------------------


def test_rerendering_changes_the_files_and_keeps_the_code(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    ticket.refresh_from_db()
    before, code = ticket.pdf_ticket.read(), code_of(ticket)
    old_version = ticket.pdf_ticket_version
    EventTicket.objects.filter(pk=ticket.pk).update(holder_name="Jane Doe")

    requests.rerender(ticket)
    assert ticket.state == EventTicket.State.PENDING
    assert ticket.has_files, "the old files stay valid until the new ones are uploaded"
    publish(ticket.pk)

    ticket.refresh_from_db()
    assert ticket.pdf_ticket.read() != before
    assert code_of(ticket) == code
    assert ticket.pdf_ticket_version is not None
    assert old_version is not None
    assert ticket.pdf_ticket_version > old_version


def test_reissuing_gives_a_new_code_and_hides_the_old_files(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    ticket.refresh_from_db()
    old_code = code_of(ticket)

    issuing.reissue(ticket)
    assert code_of(ticket) != old_code
    assert not ticket.has_files
    publish(ticket.pk)

    ticket.refresh_from_db()
    assert ticket.has_files
    assert codes_in_png(ticket.qr_code.read()) == codes_in_pdf(ticket.pdf_ticket.read()) == [code_of(ticket)]


def test_a_used_ticket_is_not_reissued(sent: list[list[int]]) -> None:
    ticket = make_ticket(used_at=timezone.now())
    with pytest.raises(issuing.TicketError, match="used already"):
        issuing.reissue(ticket)
    ticket.refresh_from_db()
    assert ticket.code_generation == 0


def test_generations_end_with_a_clear_error() -> None:
    ticket = make_ticket(code_generation=255)
    with pytest.raises(issuing.TicketError, match="255 times"):
        issuing.reissue(ticket)


def test_request_during_publishing_is_not_lost(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch, sent: list[list[int]]
) -> None:
    ticket = make_ticket()
    upload = gateway.upload

    def change_of_mind(kind: gateway.FileKind, public_id: str, content: bytes, tag: str) -> gateway.StoredFile:
        if kind is gateway.PDF_TICKET and EventTicket.objects.get(pk=ticket.pk).code_generation == 0:
            issuing.reissue(EventTicket.objects.get(pk=ticket.pk))
        return upload(kind, public_id, content, tag)

    monkeypatch.setattr(gateway, "upload", change_of_mind)
    assert publish(ticket.pk) == EventTicket.State.PENDING
    assert sent[-1] == [ticket.pk]
    assert publish(ticket.pk) == EventTicket.State.READY
    ticket.refresh_from_db()
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]


# -- Races -------------------------------------------------------------------------------------------------------


def _publish_at_once(pk: int, workers: int = 6) -> list[Any]:
    """Publish the same ticket by several workers concurrently, and return their results."""
    return at_once([lambda: publish(pk)] * workers)


def test_many_workers_upload_each_file_once(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    with mock.patch.object(gateway, "upload", side_effect=gateway.upload) as upload:
        outcomes = _publish_at_once(ticket.pk)
    assert outcomes.count(EventTicket.State.READY) == 1
    assert upload.call_count == 2


def test_negative_control_without_claims_workers_upload_many_times(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that read pending tickets without claiming them publish the same ticket."""
    reading = threading.Barrier(6, timeout=20)

    def read_then_write(pks: Sequence[int]) -> list[EventTicket]:
        found = list(EventTicket.objects.pending().unclaimed(timezone.now()).filter(pk__in=pks))
        reading.wait()
        return found

    monkeypatch.setattr(TICKETS, "claim_these", read_then_write)
    ticket = make_ticket()
    with mock.patch.object(gateway, "upload", side_effect=gateway.upload) as upload:
        _publish_at_once(ticket.pk)
    assert upload.call_count > 2


def test_ticket_of_a_dead_worker_is_published_after_the_lease(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    assert TICKETS.claim_these([ticket.pk])
    assert publish(ticket.pk) is None, "another worker holds the lease"
    EventTicket.objects.filter(pk=ticket.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert publish(ticket.pk) == EventTicket.State.READY


def test_late_upload_after_a_lost_lease_requests_the_files_again(
    cloudlet: RunningCloudlet, sent: list[list[int]]
) -> None:
    ticket = make_ticket()
    [sleeper] = TICKETS.claim_these([ticket.pk])
    EventTicket.objects.filter(pk=ticket.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert publish(ticket.pk) == EventTicket.State.READY
    # The slow worker overwrites the files with older ones.
    assert publishing_outcomes.record([(sleeper, _any_files(sleeper))])[ticket.pk].state == EventTicket.State.PENDING
    assert sent[-1] == [ticket.pk]
    assert publish(ticket.pk) == EventTicket.State.READY


def _any_files(ticket: EventTicket) -> publishing_outcomes.Files:
    return publishing_outcomes.Files(*(gateway.StoredFile(ticket.public_id_of(kind), 1, "") for kind in gateway.KINDS))


def test_event_titles_in_any_script_reach_the_pdf(cloudlet: RunningCloudlet) -> None:
    event: Event = make_event(title="音楽の夜 · ليلة الموسيقى", language="ar")
    ticket = make_ticket(event=event, holder_name="王小明")
    assert publish(ticket.pk) == EventTicket.State.READY


def test_a_template_that_does_not_scan_is_not_published(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blank(EventTemplate):
        def render(self, ticket: TicketDetails) -> RenderedTicket:
            return RenderedTicket(super().render(ticket).qr_png, EMPTY_PAGE)

    monkeypatch.setattr(ticketkit, "EventTemplate", Blank)
    ticket = make_ticket(event=make_event(title="A broken layout"))
    with mock.patch.object(gateway, "upload") as upload:
        assert publish(ticket.pk) == EventTicket.State.FAILED
    upload.assert_not_called()
    ticket.refresh_from_db()
    assert "does not scan" in ticket.reason


def test_the_qr_code_is_three_hundred_pixels_square(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    ticket.refresh_from_db()
    assert (ticket.qr_code.width, ticket.qr_code.height) == (300, 300)
