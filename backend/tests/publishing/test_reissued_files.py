"""A re-issue breaks every link to the ticket's earlier files, in spite of slow, dead and outdated workers."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import urllib3
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.events import issuing
from apps.events.codes import code_of
from apps.events.models import EventTicket
from apps.events.ticket_service import ticket_service
from apps.publishing import deletions, outcomes, requests, sweep
from apps.publishing.models import StoredFileDeletion
from apps.publishing.outcomes import TICKETS
from apps.storage import gateway
from apps.webhooks.models import WebhookMessage
from cloudlet.testing import RunningCloudlet
from tests.factories import make_endpoint, make_event, make_ticket
from tests.faults import faults
from tests.pictures import codes_in_pdf, codes_in_png
from tests.workers import publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

State = EventTicket.State
SUFFIXED = re.compile(r"tickets/(qr_codes|pdf)/\d+/ticket_[0-9a-f-]{36}_[0-9a-f]{16,}")
SLOW = {"call": "upload", "kind": "latency", "ms": 1500}


def published(ticket: EventTicket | None = None, **overrides: Any) -> EventTicket:
    ticket = ticket or make_ticket(**overrides)
    assert publish(ticket.pk) == State.READY
    ticket.refresh_from_db()
    return ticket


def public_ids(ticket: EventTicket) -> list[str]:
    return [ticket.qr_code_cloudinary_id, ticket.pdf_ticket_cloudinary_id]


def links(ticket: EventTicket) -> list[str]:
    """Return the URLs of both files, with and without version, and of transformed pictures."""
    found = [ticket.qr_code.url, ticket.pdf_ticket.url]
    for kind, public_id in zip(gateway.KINDS, public_ids(ticket), strict=True):
        found.append(gateway.delivery_url(kind, public_id))
        found.append(gateway.delivery_url(kind, public_id, transformation="w_200", page=kind is gateway.PDF_TICKET))
    return found


def statuses(urls: list[str]) -> set[int]:
    return {urllib3.request("GET", url, timeout=10, retries=False).status for url in urls}


def leases_run_out() -> None:
    """Let all leases expire and all deletions be due."""
    EventTicket.objects.exclude(lease=None).update(lease_until=timezone.now())
    StoredFileDeletion.objects.update(next_attempt_at=timezone.now())


def reissue(ticket: EventTicket) -> None:
    issuing.reissue(EventTicket.objects.get(pk=ticket.pk))


# -- Public ids --------------------------------------------------------------------------------------------------


def test_each_reissue_gives_new_public_ids(
    cloudlet: RunningCloudlet,
) -> None:
    ticket = published()
    used = [public_ids(ticket)]
    assert used[0] == [kind.public_id(ticket.event_id, ticket.ticket_id) for kind in gateway.KINDS]
    requests.rerender(ticket)
    assert public_ids(published(ticket)) == used[0]
    for _ in range(3):
        issuing.reissue(ticket)
        assert public_ids(ticket) == ["", ""], "files with a void code are not handed out"
        assert not ticket.has_files
        used.append(public_ids(published(ticket)))
        assert all(SUFFIXED.fullmatch(public_id) for public_id in used[-1])
        assert codes_in_png(ticket.qr_code.read()) == codes_in_pdf(ticket.pdf_ticket.read()) == [code_of(ticket)]
    assert len({public_id for both in used for public_id in both}) == 8


def test_reissue_breaks_earlier_links_and_the_new_ones_work(cloudlet: RunningCloudlet) -> None:
    ticket, neighbour = published(), published()
    before = links(ticket)
    assert statuses(before) == {200}
    reissue(ticket)
    assert StoredFileDeletion.objects.count() == 2, "in the same transaction"
    assert deletions.delete_due() == (2, 0)
    assert statuses(before) == {404}
    published(ticket)
    assert statuses(before) == {404}, "the new files have other public ids"
    assert statuses(links(ticket)) == statuses(links(neighbour)) == {200}

    second = links(ticket)
    reissue(ticket)
    published(ticket)
    deletions.delete_due()
    assert statuses(before + second) == {404}
    assert statuses(links(ticket)) == {200}


def test_rolled_back_reissue_changes_and_deletes_nothing(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = published()
    before = links(ticket)

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(issuing.signals.ticket_reissued, "send", fails)
    with pytest.raises(RuntimeError):
        reissue(ticket)
    assert deletions.delete_due() == (0, 0)
    ticket.refresh_from_db()
    assert (ticket.code_generation, links(ticket)) == (0, before)
    assert statuses(before) == {200}


@pytest.mark.parametrize("is_stale", [False, True], ids=["fresh", "read before the re-issue"])
def test_deleting_a_reissued_ticket_deletes_files_of_all_public_ids(cloudlet: RunningCloudlet, is_stale: bool) -> None:
    ticket = published()
    stale = EventTicket.objects.get(pk=ticket.pk)
    before = links(ticket)
    reissue(ticket)
    published(ticket)
    before += links(ticket)
    (stale if is_stale else ticket).delete()
    deletions.delete_due()
    assert statuses(before) == {404}
    assert not StoredFileDeletion.objects.exists()


def test_ticket_service_uploads_to_the_current_public_id(cloudlet: RunningCloudlet) -> None:
    ticket = published()
    before = links(ticket)
    reissue(ticket)
    published(ticket)
    deletions.delete_due()
    for upload, content in (
        (ticket_service.upload_qr_code_to_cloudinary, ticket.qr_code.read()),
        (ticket_service.upload_pdf_ticket_to_cloudinary, ticket.pdf_ticket.read()),
    ):
        assert upload(content, ticket.ticket_id, ticket.event_id)["public_id"] in public_ids(ticket)
    assert statuses(before) == {404}


# -- Races -------------------------------------------------------------------------------------------------------


def upload_in_flight(ticket: EventTicket) -> threading.Thread:
    """Start a worker that re-renders the ticket with its current code, and return when it has claimed the ticket."""
    requests.rerender(ticket)

    def work() -> None:
        try:
            with contextlib.suppress(SystemExit):  # raised by tests in which the worker dies
                publish(ticket.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 10
    while EventTicket.objects.filter(pk=ticket.pk, lease=None).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return thread


def reissue_during_a_slow_upload(cloudlet: RunningCloudlet, ticket: EventTicket) -> None:
    with faults(cloudlet, SLOW):
        worker = upload_in_flight(ticket)
        reissue(ticket)
        deletions.delete_due()
        worker.join()


def test_slow_upload_does_not_restore_a_leaked_file(cloudlet: RunningCloudlet) -> None:
    ticket = published()
    before = links(ticket)
    reissue_during_a_slow_upload(cloudlet, ticket)
    leases_run_out()
    deletions.delete_due()
    published(ticket)
    assert statuses(before) == {404}
    assert statuses(links(ticket)) == {200}
    assert not StoredFileDeletion.objects.exists()


def dies(outcomes: Any) -> Any:
    raise SystemExit


@pytest.mark.parametrize("waits", [True, False], ids=["guarded", "negative control"])
def test_worker_that_dies_after_a_slow_upload_leaves_no_leaked_file(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """Without waiting for the lease, the file is uploaded after its deletion and stays as an orphan."""
    if not waits:
        monkeypatch.setattr(deletions, "_calls_end_at", lambda ticket, now: now)
    ticket = published()
    before = links(ticket)
    with monkeypatch.context() as dying:
        dying.setattr(outcomes, "record", dies)
        reissue_during_a_slow_upload(cloudlet, ticket)
    leases_run_out()
    deletions.delete_due()
    published(ticket)
    assert statuses(before) == ({404} if waits else {200})
    assert statuses(links(ticket)) == {200}


def put_all(sleeper: EventTicket) -> outcomes.Files | Exception:
    return outcomes.Files(*(gateway.upload(kind, sleeper.public_id_of(kind), PNG) for kind in gateway.KINDS))


def put_one_and_fail(sleeper: EventTicket) -> outcomes.Files | Exception:
    gateway.upload(gateway.QR_CODE, sleeper.public_id_of(gateway.QR_CODE), PNG)
    return gateway.MediaError("uploading", "x", 503, "down")


PNG = bytes(ticket_service.generate_qr_code("a sleeper's").getvalue())


@pytest.mark.parametrize("wake_up", [put_all, put_one_and_fail])
def test_worker_that_outlives_its_lease_cleans_up(
    cloudlet: RunningCloudlet, wake_up: Callable[[EventTicket], outcomes.Files | Exception]
) -> None:
    ticket = published()
    before = links(ticket)
    requests.rerender(ticket)
    (sleeper,) = TICKETS.claim_these([ticket.pk])
    leases_run_out()
    reissue(ticket)
    deletions.delete_due()
    published(ticket)
    assert statuses(before) == {404}

    outcomes.record([(sleeper, wake_up(sleeper))])
    assert 200 in statuses(before)
    leases_run_out()
    deletions.delete_due()
    assert statuses(before) == {404}
    publish(ticket.pk)  # the late outcome may have requested the files again
    ticket.refresh_from_db()
    assert statuses(links(ticket)) == {200}


def test_deletion_waits_for_uploads_that_timed_out(cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = published()
    before = links(ticket)
    requests.rerender(ticket)
    monkeypatch.setattr(gateway, "TIMEOUT", urllib3.Timeout(connect=5, read=0.2))
    with faults(cloudlet, SLOW):
        assert publish(ticket.pk) == State.FAILED
        monkeypatch.undo()
        reissue(ticket)
        assert deletions.delete_due() == (0, 0)
    due = StoredFileDeletion.objects.values_list("next_attempt_at", flat=True)
    assert all(moment > timezone.now() + timedelta(minutes=2) for moment in due)
    time.sleep(SLOW["ms"] / 1000 + 0.5)  # until the upload takes effect
    leases_run_out()
    deletions.delete_due()
    assert statuses(before) == {404}


# -- During a deployment -----------------------------------------------------------------------------------------


def publish_as_the_previous_version(pk: int) -> None:
    """Publish the ticket as a worker does that knows no suffixes and none of the later columns."""
    (ticket,) = TICKETS.claim_these([pk])
    files: dict[str, Any] = {}
    for kind, content in zip(gateway.KINDS, (PNG, PNG), strict=True):
        stored = gateway.upload(kind, kind.public_id(ticket.event_id, ticket.ticket_id), content)
        files |= {
            kind.name: f"{stored.public_id}.{kind.extension}",
            f"{kind.name}_cloudinary_id": stored.public_id,
            f"{kind.name}_version": stored.version,
            f"{kind.name}_etag": stored.etag,
        }
    row = EventTicket.objects.filter(pk=pk, lease=ticket.lease)
    row.update(
        **files,
        published_generation=ticket.code_generation,
        state=State.READY,
        next_attempt_at=None,
        lease=None,
        lease_until=None,
    )


def test_file_published_by_the_previous_version_under_the_old_public_id_is_deleted(
    cloudlet: RunningCloudlet,
) -> None:
    ticket = published()
    before = links(ticket)
    reissue(ticket)
    deletions.delete_due()
    publish_as_the_previous_version(ticket.pk)
    ticket.refresh_from_db()
    assert statuses(before[2:]) == {200}, "the leaked links work again"
    assert not ticket.has_files, "but they are not handed out"

    sweep.requeue_due()
    published(ticket)
    assert ticket.has_files
    deletions.delete_due()
    assert statuses(before) == {404}
    assert statuses(links(ticket)) == {200}
    sweep.requeue_due()
    ticket.refresh_from_db()
    assert ticket.state == State.READY, "it is re-rendered once only"


# -- Bulk --------------------------------------------------------------------------------------------------------


def test_bulk_reissue_takes_few_statements_for_each_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuing, "TICKETS_PER_TRANSACTION", 30)
    event = make_event()
    make_endpoint(event.organiser)
    issued = issuing.issue_many(event, [issuing.Holder(name=f"Guest {n}") for n in range(70)])
    used, spent = issued[3], issued[50]
    EventTicket.objects.filter(pk=used.pk).update(used_at=timezone.now())
    EventTicket.objects.filter(pk=spent.pk).update(code_generation=issuing.MAX_GENERATION)
    with CaptureQueriesContext(connection) as captured:
        done, refused = issuing.reissue_many(event.tickets.all())

    assert len(captured) < 3 * 14  # transactions of 30 tickets
    assert [ticket.pk for ticket in done] == [ticket.pk for ticket in issued if ticket not in (used, spent)]
    assert [ticket.pk for ticket, _ in refused] == [used.pk, spent.pk]
    assert ["used already" in str(error) for _, error in refused] == [True, False]
    rows = list(event.tickets.exclude(pk__in=[used.pk, spent.pk]))
    assert {(row.code_generation, row.state, row.in_bulk) for row in rows} == {(1, State.PENDING, True)}
    assert len({row.public_id_suffix for row in rows}) == 68
    assert StoredFileDeletion.objects.count() == 2 * 68
    messages = WebhookMessage.objects.filter(event_type="ticket.reissued")
    assert [message.data["generation"] for message in messages] == [1] * 68
    assert issuing.reissue_many(EventTicket.objects.none()) == ([], [])


def test_interrupted_bulk_reissue_leaves_each_ticket_consistent(
    monkeypatch: pytest.MonkeyPatch, interrupted: list[int]
) -> None:
    monkeypatch.setattr(issuing, "TICKETS_PER_TRANSACTION", 2)
    event = make_event()
    issued = [make_ticket(event=event) for _ in range(5)]
    interrupted.append(issued[3].pk)
    with pytest.raises(KeyboardInterrupt):
        issuing.reissue_many(event.tickets.all())
    assert [row.code_generation for row in event.tickets.order_by("pk")] == [1, 1, 0, 0, 0]
    assert StoredFileDeletion.objects.count() == 4


@pytest.fixture
def interrupted() -> Iterator[list[int]]:
    """Yield a list; the re-issue of any ticket whose key is in it raises KeyboardInterrupt."""
    pks: list[int] = []

    def killed(tickets: list[EventTicket], **_: Any) -> None:
        if {ticket.pk for ticket in tickets}.intersection(pks):
            raise KeyboardInterrupt

    issuing.signals.ticket_reissued.connect(killed)
    yield pks
    issuing.signals.ticket_reissued.disconnect(killed)
