"""Deleting a ticket deletes both files, in spite of outages, rate limits and running uploads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import cloudinary.uploader
import pytest
import urllib3
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.events import issuing, signals
from apps.events.models import Event, EventTicket
from apps.publishing import deletions, pipeline, requests
from apps.publishing.models import StoredFileDeletion
from apps.publishing.outcomes import TICKETS
from apps.storage import gateway
from apps.webhooks.models import WebhookMessage
from cloudlet.testing import RunningCloudlet
from tests.factories import make_endpoint, make_event, make_organiser, make_ticket, make_ticket_type, make_user
from tests.races import at_once
from tests.workers import publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


def published_ticket(**overrides: Any) -> EventTicket:
    ticket = make_ticket(**overrides)
    assert publish(ticket.pk) == EventTicket.State.READY
    ticket.refresh_from_db()
    return ticket


def on_storage(ticket: EventTicket) -> list[bool]:
    found = []
    for kind in gateway.KINDS:
        try:
            gateway.fetch(kind, kind.public_id(ticket.event_id, ticket.ticket_id), version=1)
        except gateway.MediaError as error:
            if error.status != 404:
                raise
            found.append(False)
        else:
            found.append(True)
    return found


def delete_instance(ticket: EventTicket) -> None:
    ticket.delete()


def delete_queryset(ticket: EventTicket) -> None:
    EventTicket.objects.filter(pk=ticket.pk).delete()


def delete_event(ticket: EventTicket) -> None:
    ticket.event.delete()


def delete_many(ticket: EventTicket) -> None:
    assert issuing.delete_many(EventTicket.objects.filter(pk=ticket.pk)) == 1


@pytest.mark.parametrize("delete", [delete_instance, delete_queryset, delete_event, delete_many])
def test_both_files_are_deleted_with_the_ticket(cloudlet: RunningCloudlet, delete: Any) -> None:
    ticket, neighbour = published_ticket(), published_ticket()
    delete(ticket)
    assert StoredFileDeletion.objects.count() == 2
    assert deletions.delete_due() == (2, 0)
    assert not StoredFileDeletion.objects.exists()
    assert on_storage(ticket) == [False, False]
    assert on_storage(neighbour) == [True, True]


def test_rolled_back_deletion_deletes_no_file(cloudlet: RunningCloudlet) -> None:
    ticket = published_ticket()
    with pytest.raises(RuntimeError), transaction.atomic():
        EventTicket.objects.filter(pk=ticket.pk).delete()
        raise RuntimeError
    assert deletions.delete_due() == (0, 0)
    assert on_storage(ticket) == [True, True]


def test_deletion_is_retried_after_an_outage(cloudlet: RunningCloudlet, settings: Any) -> None:
    ticket = published_ticket()
    account = settings.CLOUDINARY_ACCOUNT
    settings.CLOUDINARY_ACCOUNT = type(account)(
        account.cloud_name, account.api_key, account.api_secret, False, "http://localhost:1", "localhost:1"
    )
    ticket.delete()
    assert deletions.delete_due() == (0, 2)
    row = StoredFileDeletion.objects.all()[0]
    assert row.attempts == 1
    assert "localhost:1" in row.reason
    assert row.next_attempt_at > timezone.now()

    settings.CLOUDINARY_ACCOUNT = account
    StoredFileDeletion.objects.update(next_attempt_at=timezone.now())
    assert deletions.delete_due() == (2, 0)
    assert on_storage(ticket) == [False, False]


def test_rate_limit_postpones_deletions_and_uses_no_attempt(cloudlet: RunningCloudlet) -> None:
    make_ticket().delete()
    limited = gateway.MediaError("deleting QR code", "x", 420, "Rate limit exceeded", retry_after=1)
    with mock.patch.object(gateway, "destroy", side_effect=limited):
        for _ in range(6):
            StoredFileDeletion.objects.update(next_attempt_at=timezone.now())
            assert deletions.delete_due() == (0, 2)
    for row in StoredFileDeletion.objects.all():
        assert (row.attempts, "Rate limit exceeded" in row.reason) == (0, True)
        assert timedelta(seconds=10) < row.next_attempt_at - timezone.now() < timedelta(seconds=25)

    limited = gateway.MediaError("deleting QR code", "x", 420, "Rate limit exceeded", retry_after=1800)
    StoredFileDeletion.objects.update(next_attempt_at=timezone.now())
    with mock.patch.object(gateway, "destroy", side_effect=limited):
        deletions.delete_due()
    assert StoredFileDeletion.objects.all()[0].next_attempt_at - timezone.now() > timedelta(minutes=29)


def test_deletion_of_a_missing_file_succeeds(cloudlet: RunningCloudlet) -> None:
    make_ticket().delete()
    assert deletions.delete_due() == (2, 0)


@pytest.mark.parametrize(("before", "after"), [("authenticated", "upload"), ("upload", "authenticated")])
def test_files_of_the_previous_delivery_type_are_deleted_too(
    cloudlet: RunningCloudlet, settings: Any, before: str, after: str
) -> None:
    settings.CLOUDINARY_DELIVERY_TYPE = before
    ticket = published_ticket()
    urls = [ticket.qr_code.url, ticket.pdf_ticket.url]
    assert statuses(urls) == [200, 200]

    settings.CLOUDINARY_DELIVERY_TYPE = after
    ticket.delete()
    assert deletions.delete_due() == (2, 0)
    assert statuses(urls) == [404, 404]
    assert not StoredFileDeletion.objects.exists()


def test_files_of_both_delivery_types_are_deleted(cloudlet: RunningCloudlet, settings: Any) -> None:
    settings.CLOUDINARY_DELIVERY_TYPE = "upload"
    ticket = published_ticket()
    urls = [ticket.qr_code.url, ticket.pdf_ticket.url]
    settings.CLOUDINARY_DELIVERY_TYPE = "authenticated"
    requests.rerender(ticket)
    publish(ticket.pk)
    ticket.refresh_from_db()
    urls += [ticket.qr_code.url, ticket.pdf_ticket.url]
    assert statuses(urls) == [200, 200, 200, 200]

    ticket.delete()
    assert deletions.delete_due() == (2, 0)
    assert statuses(urls) == [404, 404, 404, 404]


def statuses(urls: list[str]) -> list[int]:
    return [urllib3.request("GET", url, timeout=10, retries=False).status for url in urls]


def test_deletion_is_pending_until_both_delivery_types_respond(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = make_ticket()
    destroy = cloudinary.uploader.destroy

    def down_for_public_files(public_id: str, **options: Any) -> Any:
        if options["type"] == "upload":
            raise OSError("down")
        return destroy(public_id, **options)

    monkeypatch.setattr(cloudinary.uploader, "destroy", down_for_public_files)
    ticket.delete()
    assert deletions.delete_due() == (0, 2)
    assert StoredFileDeletion.objects.count() == 2


def test_ticket_deleted_during_publishing_leaves_no_orphaned_file(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = make_ticket()
    upload = gateway.upload

    def deleted_meanwhile(kind: gateway.FileKind, public_id: str, content: bytes, tag: str) -> gateway.StoredFile:
        EventTicket.objects.filter(pk=ticket.pk).delete()
        return upload(kind, public_id, content, tag)

    monkeypatch.setattr(gateway, "upload", deleted_meanwhile)
    assert publish(ticket.pk) is None
    assert on_storage(ticket) == [True, True]
    StoredFileDeletion.objects.update(next_attempt_at=timezone.now())
    deletions.delete_due()
    assert on_storage(ticket) == [False, False]


@pytest.mark.parametrize("delete", [delete_instance, delete_queryset, delete_event, delete_many])
def test_deletion_waits_for_the_lease_of_a_worker(cloudlet: RunningCloudlet, delete: Any) -> None:
    """The worker claimed the ticket after it was read, and may die without recording its upload."""
    ticket = make_ticket()
    TICKETS.claim_these([ticket.pk])
    delete(ticket)
    assert deletions.delete_due() == (0, 0)
    row = StoredFileDeletion.objects.all()[0]
    assert row.next_attempt_at > timezone.now() + timedelta(minutes=2)


def test_local_file_is_deleted_with_the_ticket(cloudlet: RunningCloudlet) -> None:
    name = default_storage.save("qr_codes/old.png", ContentFile(b"png"))
    ticket = make_ticket(event=make_event(), qr_code=name, next_attempt_at=None)
    ticket.delete()
    assert deletions.delete_due() == (3, 0)
    assert not default_storage.exists(name)


def test_deleting_an_event_deletes_its_files_by_one_task_at_a_time(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = make_event()
    issued = [ticket.pk for ticket in issuing.issue_many(event, [issuing.Holder(name=f"Guest {n}") for n in range(70)])]
    pipeline.publish_many(issued)
    rows = list(EventTicket.objects.all())
    sent: list[str] = []
    monkeypatch.setattr(dispatch, "send", lambda task, arguments, queue: sent.append(task))
    event.delete()
    assert sent == ["apps.events.tasks.delete_due"]
    monkeypatch.setattr(deletions, "FILES_PER_TASK", 100)
    deletions.process_outbox()
    assert sent == ["apps.events.tasks.delete_due"] * 2, "there was more than one task's worth"
    deletions.process_outbox()
    assert not StoredFileDeletion.objects.exists()
    assert {found for ticket in rows for found in on_storage(ticket)} == {False}


@pytest.fixture
def received() -> Iterator[list[list[EventTicket]]]:
    """Collect the tickets of each `ticket_deleted` signal."""
    received: list[list[EventTicket]] = []

    def receive(tickets: list[EventTicket], **_: Any) -> None:
        received.append(list(tickets))

    signals.ticket_deleted.connect(receive)
    yield received
    signals.ticket_deleted.disconnect(receive)


def test_bulk_deletion_takes_few_statements_for_each_transaction(
    monkeypatch: pytest.MonkeyPatch, received: list[list[EventTicket]]
) -> None:
    monkeypatch.setattr(issuing, "TICKETS_PER_TRANSACTION", 30)
    event = make_event()
    make_endpoint(event.organiser)
    neighbour = make_ticket(event=make_event(organiser=event.organiser))
    issued = issuing.issue_many(event, [issuing.Holder(name=f"Guest {n}") for n in range(70)])
    with CaptureQueriesContext(connection) as captured:
        assert issuing.delete_many(event.tickets.all()) == 70

    assert len(captured) < 3 * 10
    assert [len(chunk) for chunk in received] == [30, 30, 10]
    assert [ticket.ticket_id for chunk in received for ticket in chunk] == [ticket.ticket_id for ticket in issued]
    names = {kind.public_id(event.pk, ticket.ticket_id) for kind in gateway.KINDS for ticket in issued}
    assert set(StoredFileDeletion.objects.values_list("name", flat=True)) == names
    assert StoredFileDeletion.objects.count() == 140
    messages = WebhookMessage.objects.filter(event_type="ticket.deleted")
    assert set(messages.values_list("ticket_id", flat=True)) == {ticket.ticket_id for ticket in issued}
    assert messages.count() == 70
    assert list(EventTicket.objects.all()) == [neighbour]


def test_interrupted_bulk_deletion_keeps_each_ticket_or_enqueues_its_files(
    monkeypatch: pytest.MonkeyPatch, received: list[list[EventTicket]]
) -> None:
    monkeypatch.setattr(issuing, "TICKETS_PER_TRANSACTION", 2)
    event = make_event()
    issued = [make_ticket(event=event) for _ in range(5)]

    def killed(tickets: list[EventTicket], **_: Any) -> None:
        if issued[3].ticket_id in [ticket.ticket_id for ticket in tickets]:
            raise KeyboardInterrupt

    signals.ticket_deleted.connect(killed)
    try:
        with pytest.raises(KeyboardInterrupt):
            issuing.delete_many(event.tickets.all())
    finally:
        signals.ticket_deleted.disconnect(killed)
    assert list(EventTicket.objects.order_by("pk")) == issued[2:]
    assert StoredFileDeletion.objects.count() == 4

    issued[2].delete()
    assert StoredFileDeletion.objects.count() == 6, "the interruption left no state in the process"
    assert issuing.delete_many(event.tickets.all()) == 2
    assert StoredFileDeletion.objects.count() == 10


@pytest.mark.parametrize("page", ["delete", "changelist"])
def test_deleting_an_event_in_the_back_office_commits_in_chunks(monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    """Django's own deletion is one transaction, which would block other writers for long."""
    delete_together, chunks = issuing._delete_together, []

    def observed(pks: list[int]) -> int:
        assert not connection.in_atomic_block, "the chunks before this one are committed"
        chunks.append(len(pks))
        return delete_together(pks)

    monkeypatch.setattr(issuing, "TICKETS_PER_TRANSACTION", 2)
    monkeypatch.setattr(issuing, "_delete_together", observed)
    manager = make_user(is_staff=True)
    event = make_event(organiser=make_organiser(manager=manager))
    kind = make_ticket_type(event)
    for _ in range(3):
        make_ticket(event=event, ticket_type=kind)
    back_office = Client()
    back_office.force_login(manager)
    arguments, sent = [event.pk], {}
    if page == "changelist":
        arguments, sent = [], {"action": "delete_selected", "_selected_action": [event.pk]}
    address = reverse(f"admin:events_event_{page}", args=arguments)
    back_office.post(address, sent)
    assert not chunks, "the confirmation page deletes nothing"

    back_office.post(address, sent | {"post": "yes"})
    assert chunks == [2, 1]
    assert not Event.objects.exists()
    assert StoredFileDeletion.objects.count() == 6


def _delete_at_once(workers: int = 4) -> list[tuple[int, int]]:
    return at_once([deletions.delete_due] * workers)


def _enqueue(number: int) -> None:
    StoredFileDeletion.objects.bulk_create(
        StoredFileDeletion(kind="qr_code", name=f"tickets/qr_codes/0/ticket_{n}") for n in range(number)
    )


def test_concurrent_workers_delete_each_file_once(cloudlet: RunningCloudlet) -> None:
    _enqueue(120)
    with mock.patch.object(gateway, "destroy", side_effect=gateway.destroy) as destroy:
        outcomes = _delete_at_once()
    assert sum(deleted for deleted, _ in outcomes) == destroy.call_count == 120


def test_negative_control_without_claims_workers_delete_many_times(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = threading.Barrier(4, timeout=20)
    first = threading.local()

    def read_only(self: object, number: int) -> list[StoredFileDeletion]:
        if hasattr(first, "done"):
            return []
        first.done = True
        rows = list(StoredFileDeletion.objects.all())
        reading.wait()
        return rows

    monkeypatch.setattr(deletions.FileDeletions, "claim", read_only)
    _enqueue(10)
    with mock.patch.object(gateway, "destroy", side_effect=gateway.destroy) as destroy:
        _delete_at_once()
    assert destroy.call_count == 40
