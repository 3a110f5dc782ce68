"""Test that `ticket_doctor` finds each problem, repairs it, and finds nothing afterwards."""

from __future__ import annotations

import dataclasses
import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.events.models import EventTicket
from apps.publishing import requests
from apps.publishing.models import StoredFileDeletion
from apps.storage import gateway
from apps.storage_checks.inventory import Inventory
from apps.storage_checks.models import Examination
from cloudlet.testing import RunningCloudlet, running_cloudlet
from tests.environment import free_port
from tests.factories import make_event, make_ticket
from tests.faults import faults
from tests.workers import publish
from ticketkit import render_qr_png

pytestmark = [pytest.mark.django_db(), pytest.mark.integration]


@contextmanager
def own_cloudlet(settings: Any, *options: str) -> Iterator[RunningCloudlet]:
    """Run a cloudlet without any files for one test."""
    account = settings.CLOUDINARY_ACCOUNT
    names = {"cloud_name": account.cloud_name, "api_key": account.api_key, "api_secret": account.api_secret}
    with running_cloudlet(options=options, **names) as server:
        settings.CLOUDINARY_ACCOUNT = dataclasses.replace(account, upload_prefix=server.url, cname=server.authority)
        yield server


def published(**overrides: Any) -> EventTicket:
    ticket = make_ticket(**overrides)
    assert publish(ticket.pk) == EventTicket.State.READY
    ticket.refresh_from_db()
    return ticket


def doctor(*arguments: str, **options: Any) -> tuple[bool, str]:
    """Run the command. Return whether it found no problem, and its output."""
    out = io.StringIO()
    try:
        call_command("ticket_doctor", *arguments, stdout=out, stderr=out, **{"workers": 1} | options)
    except CommandError as error:
        return False, f"{out.getvalue()}{error}"
    return True, out.getvalue()


def assert_fixed(finding: str, repairs: int = 1) -> None:
    """Assert that the problem is reported and repaired, and that a second repair has nothing to do."""
    well, said = doctor()
    assert not well
    assert f"❌ {repairs} × {finding}:" in said, said
    assert f"ticket_doctor --fix repairs {repairs} of them." in said
    well, said = doctor("--fix")
    assert well, said
    assert f"{repairs} repairs made" in said
    well, said = doctor("--fix")
    assert well, said
    assert "0 repairs made" in said


def test_no_findings_when_database_and_storage_agree(empty: RunningCloudlet) -> None:
    event = make_event()
    for _ in range(3):
        published(event=event)
    make_ticket(event=event)
    well, said = doctor()
    assert well
    assert "3 tickets ready, 1 pending, 6 files listed" in said
    assert "0 missing, 0 wrong_bytes, 0 stale_version, 0 orphaned, 0 wrong_type, 0 undeletable" in said
    assert "Admin API:" in said


@pytest.mark.parametrize("kind", gateway.KINDS, ids=lambda kind: kind.name)
def test_missing_file_is_re_rendered(empty: RunningCloudlet, kind: gateway.FileKind) -> None:
    ticket, neighbour = published(), published()
    gateway.destroy(kind, kind.public_id(ticket.event_id, ticket.ticket_id))
    assert_fixed("missing")
    before = neighbour.published_at
    neighbour.refresh_from_db()
    assert neighbour.published_at == before, "a ticket without findings was published again"


def test_ready_ticket_without_public_ids_is_missing(empty: RunningCloudlet) -> None:
    ticket = make_ticket()
    EventTicket.objects.filter(pk=ticket.pk).update(state="ready", next_attempt_at=None, published_at=timezone.now())
    well, said = doctor()
    assert not well
    assert "❌ 2 × missing" in said
    assert doctor("--fix")[0]


def test_replaced_bytes_are_re_rendered(empty: RunningCloudlet) -> None:
    ticket, other = published(), published()
    gateway.upload(gateway.QR_CODE, ticket.qr_code_cloudinary_id, other.qr_code.read())
    assert_fixed("wrong_bytes")


def test_same_bytes_under_another_version_are_a_stale_version(empty: RunningCloudlet) -> None:
    ticket = published()
    gateway.upload(gateway.QR_CODE, ticket.qr_code_cloudinary_id, ticket.qr_code.read())
    assert_fixed("stale_version")


@pytest.mark.parametrize("change", [{"holder_name": "Jane Doe"}, {"quantity": 7}, {"order_reference": "A-17"}])
def test_files_are_outdated_after_update_without_rerender(empty: RunningCloudlet, change: dict[str, Any]) -> None:
    ticket, neighbour = published(), published()
    EventTicket.objects.filter(pk=ticket.pk).update(**change)
    assert_fixed("outdated")
    before = neighbour.published_at
    neighbour.refresh_from_db()
    assert neighbour.published_at == before, "a ticket without findings was published again"


def test_tickets_without_a_fingerprint_are_not_outdated(empty: RunningCloudlet) -> None:
    published()
    EventTicket.objects.update(published_fingerprint="", holder_name="Jane Doe")
    assert doctor()[0]


def test_file_of_no_ticket_is_deleted(empty: RunningCloudlet) -> None:
    gone = published()
    published()
    EventTicket.objects.filter(pk=gone.pk).delete()
    StoredFileDeletion.objects.all().delete()  # as after restoring a backup
    assert_fixed("orphaned", repairs=2)


def test_file_queued_for_deletion_is_no_orphan(empty: RunningCloudlet) -> None:
    published().delete()
    assert doctor()[0]


def test_old_file_of_a_ticket_moved_to_another_event_is_deleted(empty: RunningCloudlet) -> None:
    ticket = published()
    EventTicket.objects.filter(pk=ticket.pk).update(event=make_event())
    requests.rerender(EventTicket.objects.get(pk=ticket.pk))
    assert publish(ticket.pk) == EventTicket.State.READY
    assert StoredFileDeletion.objects.count() == 2
    StoredFileDeletion.objects.all().delete()  # as after restoring a backup
    assert_fixed("old_place", repairs=2)


def test_files_of_a_wrong_type_are_deleted(empty: RunningCloudlet, settings: Any) -> None:
    ticket = published()
    settings.CLOUDINARY_DELIVERY_TYPE = "upload"
    gateway.upload(gateway.QR_CODE, ticket.qr_code_cloudinary_id, ticket_png())
    raw = dataclasses.replace(gateway.PDF_TICKET, resource_type="raw")
    gateway.upload(raw, ticket.pdf_ticket_cloudinary_id + ".pdf", b"%PDF-1.4")
    settings.CLOUDINARY_DELIVERY_TYPE = "authenticated"
    assert_fixed("wrong_type", repairs=2)
    ticket.refresh_from_db()
    assert ticket.qr_code.read(), "the file of the right type was deleted"


def test_all_files_are_re_rendered_after_a_change_of_the_delivery_type(empty: RunningCloudlet, settings: Any) -> None:
    ticket = published()
    settings.CLOUDINARY_DELIVERY_TYPE = "upload"
    said = doctor()[1]
    assert "❌ 2 × missing" in said
    assert "❌ 2 × wrong_type" in said
    assert doctor("--fix")[0]
    assert doctor() == (True, mock.ANY)
    ticket.refresh_from_db()
    assert "/upload/" in ticket.qr_code.url
    assert ticket.qr_code.read()


def on_storage(ticket: EventTicket) -> dict[str, int]:
    """Count the files of the ticket on storage, by delivery type."""
    listings = {kind: gateway.list_files("tickets/", delivery_type=kind)[0] for kind in gateway.DELIVERY_TYPES}
    return {kind: sum(str(ticket.ticket_id) in file.public_id for file in files) for kind, files in listings.items()}


def test_files_of_a_wrong_type_are_kept_until_replaced(empty: RunningCloudlet, settings: Any) -> None:
    settings.CLOUDINARY_DELIVERY_TYPE = "upload"
    ticket = published()
    settings.CLOUDINARY_DELIVERY_TYPE = "authenticated"
    with faults(empty, {"call": "upload", "kind": "error", "status": 503, "message": "Service unavailable"}):
        well, said = doctor("--fix")
    assert not well
    assert said.count("kept until the ticket's new files are published") == 2, said
    assert on_storage(ticket) == {"authenticated": 0, "upload": 2}

    assert publish(ticket.pk) == EventTicket.State.READY
    assert_fixed("wrong_type", repairs=2)
    assert on_storage(ticket) == {"authenticated": 2, "upload": 0}


def test_files_published_with_a_wrong_type_during_the_listing_are_kept(empty: RunningCloudlet, settings: Any) -> None:
    """A worker with the old setting publishes: the row is ready, but the right type has no files."""
    list_remaining = Inventory.list_remaining

    def publish_and_list(self: Inventory, *args: Any) -> None:
        settings.CLOUDINARY_DELIVERY_TYPE = "upload"
        published()
        settings.CLOUDINARY_DELIVERY_TYPE = "authenticated"
        list_remaining(self, *args)

    with mock.patch.object(Inventory, "list_remaining", publish_and_list):
        well, said = doctor("--fix")
    assert not well
    assert said.count("kept, because its replacement was not found") == 2, said
    assert on_storage(EventTicket.objects.get()) == {"authenticated": 0, "upload": 2}
    assert doctor("--fix")[0], "the next check does not repair the missing files"
    assert on_storage(EventTicket.objects.get()) == {"authenticated": 2, "upload": 0}


def test_files_of_a_wrong_type_are_deleted_if_their_ticket_is_deleted(empty: RunningCloudlet, settings: Any) -> None:
    settings.CLOUDINARY_DELIVERY_TYPE = "upload"
    ticket = published()
    settings.CLOUDINARY_DELIVERY_TYPE = "authenticated"
    ticket.delete()
    StoredFileDeletion.objects.all().delete()  # as after restoring a backup
    assert_fixed("wrong_type", repairs=2)
    assert on_storage(ticket) == {"authenticated": 0, "upload": 0}


def ticket_png() -> bytes:
    return render_qr_png("somebody's")


def test_deletions_that_failed_often_are_reported_and_retried(empty: RunningCloudlet) -> None:
    published().delete()
    StoredFileDeletion.objects.update(
        attempts=9, reason="HTTP status 503", next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    well, said = doctor()
    assert not well
    assert "9 attempts since" in said
    assert "HTTP status 503" in said
    assert_fixed("undeletable", repairs=2)
    assert not StoredFileDeletion.objects.exists()


def test_foreign_files_are_reported_and_never_deleted(empty: RunningCloudlet) -> None:
    gateway.upload(gateway.QR_CODE, "tickets/qr_codes/summer-logo", ticket_png())
    well, said = doctor("--fix")
    assert well
    assert "⚠️ 1 × foreign" in said
    assert "tickets/qr_codes/summer-logo" in said
    assert gateway.fetch(gateway.QR_CODE, "tickets/qr_codes/summer-logo")


def test_many_orphans_are_deleted_only_with_delete_many(empty: RunningCloudlet) -> None:
    event = make_event()
    for _ in range(13):
        published(event=event)
    EventTicket.objects.all().delete()
    StoredFileDeletion.objects.all().delete()
    well, said = doctor("--fix")
    assert not well
    assert "belong to no ticket of this database" in said
    assert "❌ 26 × orphaned" in doctor()[1]
    well, said = doctor("--fix", "--delete-many")
    assert well
    assert "26 repairs made" in said


def test_ticket_published_during_the_listing_is_not_missing(empty: RunningCloudlet) -> None:
    list_remaining = Inventory.list_remaining

    def list_and_publish(self: Inventory, *args: Any) -> None:
        list_remaining(self, *args)
        published()

    with mock.patch.object(Inventory, "list_remaining", list_and_publish):
        assert doctor()[0]


def test_failed_repair_is_reported_and_can_be_repeated(empty: RunningCloudlet) -> None:
    ticket = published()
    gateway.destroy(gateway.QR_CODE, ticket.qr_code_cloudinary_id)
    with faults(empty, {"call": "upload", "kind": "error", "status": 503, "message": "Service unavailable"}):
        well, said = doctor("--fix")
    assert not well
    assert "Not repaired" in said
    assert "Service unavailable" in said
    assert publish(ticket.pk) == EventTicket.State.READY
    assert doctor()[0]


# -- The account -------------------------------------------------------------------------------------------------


def test_wrong_credentials_are_reported(empty: RunningCloudlet, settings: Any) -> None:
    settings.CLOUDINARY_ACCOUNT = dataclasses.replace(
        settings.CLOUDINARY_ACCOUNT, api_secret="wrong", is_cloudlet=False
    )
    well, said = doctor()
    assert not well
    assert "CLOUDINARY_* credentials" in said
    assert len(said.splitlines()) == 1
    assert [group["problem"] for group in Examination.objects.latest("pk").findings] == ["bad_credentials"]


def test_wrong_clock_is_reported(empty: RunningCloudlet) -> None:
    with mock.patch.object(time, "time", return_value=time.time() - 7200):
        well, said = doctor()
    assert not well
    assert "❌ 1 × clock_skew" in said
    assert said.endswith("1 problem found. 1 must be fixed by hand: the lines above say how.")
    (seconds,) = re.findall(r"(\d+) seconds behind", said)
    # The server renews its `Date` about once a second, later when it is busy, and its clock goes on during the check.
    assert int(seconds) == pytest.approx(7200, abs=60)
    assert "NTP" in said


def test_blocked_pdf_delivery_is_explained(empty: RunningCloudlet) -> None:
    published()
    with faults(empty, {"call": "delivery", "kind": "block_pdf"}):
        well, said = doctor()
    assert not well
    assert "❌ 1 × delivery_blocked" in said
    assert "Settings > Security" in said
    assert doctor()[0]


def test_delivery_is_not_probed_without_files(empty: RunningCloudlet) -> None:
    make_ticket()
    with mock.patch.object(gateway, "fetch", side_effect=AssertionError("a refusal is cached for hours")):
        assert doctor()[0]


# -- The quota ---------------------------------------------------------------------------------------------------


def test_listing_that_runs_out_of_quota_is_resumed(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(gateway, "FILES_PER_PAGE", 2)
    listed: list[tuple[Any, ...]] = []
    list_files = gateway.list_files

    def counted(prefix: str, cursor: str = "", **options: Any) -> Any:
        answer = list_files(prefix, cursor, **options)
        listed.append((cursor, *options.values()))
        return answer

    monkeypatch.setattr(gateway, "list_files", counted)
    place = ("--port", str(free_port()), "--data", str(tmp_path / "cloudlet"))
    with own_cloudlet(settings, *place, "--rate-limit", "6"):
        event = make_event()
        for _ in range(6):
            published(event=event)
        well, said = doctor()
        assert not well
        assert "⚠️ 1 × quota_low" in said
        assert "Admin API calls are used up" in said
        assert "to continue" in said
    assert len(listed) == 5, "one of six calls is the ping"

    with own_cloudlet(settings, *place):  # a restarted server has a new quota
        well, said = doctor()
    assert well, said
    assert "12 files listed: 0 missing" in said
    assert len(listed) == len(set(listed)) == 6 + 5, "six pages and five empty listings, none of them listed twice"


def test_wait_option_waits_for_the_quota(empty: RunningCloudlet) -> None:
    published()
    limited = gateway.MediaError(
        "listing files on Cloudinary", "tickets/", 420, "Rate Limit Exceeded", retry_after=0.01
    )
    answers = [limited]
    list_files = gateway.list_files

    def limited_once(*args: Any, **options: Any) -> Any:
        if answers:
            raise answers.pop()
        return list_files(*args, **options)

    with mock.patch.object(gateway, "list_files", limited_once):
        well, said = doctor("--wait")
    assert well
    assert "Waiting until" in said


def test_listing_of_another_account_or_of_yesterday_is_not_resumed(
    empty: RunningCloudlet, settings: Any, tmp_path: Path
) -> None:
    published()
    path = tmp_path / "inventory"
    dies = mock.patch.object(gateway, "list_files", side_effect=_after_one(gateway.list_files))
    with Inventory(path) as inventory, dies, pytest.raises(gateway.MediaError):
        inventory.list_remaining()
    with Inventory(path) as inventory:
        first = inventory.started_at
    with Inventory(path) as inventory:
        assert inventory.started_at == first, "an unfinished listing was not resumed"
    with (
        mock.patch("apps.storage_checks.inventory.time.time", return_value=time.time() + 25 * 3600),
        Inventory(path) as late,
    ):
        assert late.started_at > first
    settings.CLOUDINARY_ACCOUNT = dataclasses.replace(settings.CLOUDINARY_ACCOUNT, cloud_name="other")
    with Inventory(path) as other:
        assert (len(other), other.is_complete) == (0, False)


def _after_one(function: Any) -> Any:
    calls = []

    def call(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) > 1:
            raise gateway.MediaError("listing files on Cloudinary", "tickets/", 503, "down")
        return function(*args, **options)

    return call
