"""Test storage checks of re-issued tickets, whose files moved, and of accounts that deployments share."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest
import urllib3

from apps.events import issuing
from apps.events.models import EventTicket
from apps.publishing import deletions, pipeline, requests
from apps.publishing.models import StoredFileDeletion
from apps.storage import gateway
from apps.storage.models import Deployment, deployment_tag
from apps.storage_checks import runs
from cloudlet.testing import RunningCloudlet
from tests.factories import make_ticket
from tests.workers import publish
from ticketkit import render_qr_png

from .test_command import assert_fixed, doctor, on_storage, published

pytestmark = [pytest.mark.django_db(), pytest.mark.integration]

PNG = render_qr_png("somebody's")


def reissued() -> EventTicket:
    """Make a re-issued ticket, whose files at the first place are deleted."""
    ticket = published()
    issuing.reissue(ticket)
    deletions.delete_due()
    assert publish(ticket.pk) == EventTicket.State.READY
    ticket.refresh_from_db()
    return ticket


def status(url: str) -> int:
    return urllib3.request("GET", url, timeout=10, retries=False).status


def remove_from_the_database(ticket: EventTicket) -> None:
    """Remove the ticket without a trace, as restoring an older backup does."""
    EventTicket.objects.filter(pk=ticket.pk).delete()
    StoredFileDeletion.objects.all().delete()


# -- Places of re-issued tickets -----------------------------------------------------------------------------------


def test_new_place_of_a_reissued_ticket_is_checked(empty: RunningCloudlet) -> None:
    ticket = reissued()
    well, said = doctor("--fix")
    assert well, said
    assert "2 files listed" in said
    assert "0 repairs made" in said
    gateway.destroy(gateway.PDF_TICKET, ticket.pdf_ticket_cloudinary_id)
    assert_fixed("missing")
    ticket.refresh_from_db()
    assert status(ticket.pdf_ticket.url) == 200


def test_file_at_an_old_place_is_deleted(empty: RunningCloudlet) -> None:
    ticket = reissued()
    at_first = gateway.QR_CODE.public_id(ticket.event_id, ticket.ticket_id)
    in_between = gateway.PDF_TICKET.public_id(ticket.event_id, ticket.ticket_id, gateway.new_suffix())
    gateway.upload(gateway.QR_CODE, at_first, PNG)  # the place belongs to the ticket, so the file needs no tag
    gateway.upload(gateway.QR_CODE, in_between, PNG, deployment_tag())
    assert_fixed("old_place", repairs=2)
    assert [status(gateway.delivery_url(gateway.QR_CODE, name)) for name in (at_first, in_between)] == [404, 404]
    assert status(ticket.qr_code.url) == 200


def test_files_queued_for_deletion_are_no_finding(empty: RunningCloudlet) -> None:
    ticket = published()
    issuing.reissue(ticket)
    assert doctor("--fix")[0]
    publish(ticket.pk)
    assert doctor("--fix")[0]
    assert StoredFileDeletion.objects.count() == 2


def test_ticket_reissued_by_the_previous_version_gets_a_new_place(
    empty: RunningCloudlet,
) -> None:
    """The previous version re-issued tickets without a new place, also during a rolling deployment."""
    ticket = published()
    links = [ticket.qr_code.url, ticket.pdf_ticket.url]
    EventTicket.objects.filter(pk=ticket.pk).update(code_generation=1)
    requests.rerender(ticket)
    assert publish(ticket.pk) == EventTicket.State.READY
    assert_fixed("old_place")
    deletions.delete_due()
    ticket.refresh_from_db()
    assert [status(link) for link in links] == [404, 404]
    assert status(ticket.qr_code.url) == status(ticket.pdf_ticket.url) == 200
    assert doctor()[0]


def test_orphans_of_a_reissued_ticket_are_found(empty: RunningCloudlet) -> None:
    remove_from_the_database(reissued())
    assert_fixed("orphaned", repairs=2)


# -- Deployments that share an account -----------------------------------------------------------------------------


def become_another_deployment() -> None:
    Deployment.objects.update(uuid=uuid.uuid4())


def test_files_of_another_deployment_are_neither_counted_nor_deleted(empty: RunningCloudlet, settings: Any) -> None:
    first, other = deployment_tag(), published()
    settings.CLOUDINARY_DELIVERY_TYPE = "upload"
    misplaced = published()
    settings.CLOUDINARY_DELIVERY_TYPE = "authenticated"
    gateway.upload(gateway.QR_CODE, "tickets/qr_codes/a-logo-of-theirs", PNG, first)
    for ticket in (other, misplaced):
        remove_from_the_database(ticket)
    become_another_deployment()
    assert deployment_tag() != first
    ours = published()
    well, said = doctor("--fix", "--delete-many", "--delete-unmarked")
    assert well, said
    assert "2 files listed" in said
    assert "5 files of other deployments in this account are left out" in said
    assert "×" not in said
    assert on_storage(other) == {"authenticated": 2, "upload": 0}
    assert on_storage(misplaced) == {"authenticated": 0, "upload": 2}
    assert on_storage(ours) == {"authenticated": 2, "upload": 0}


def test_untagged_files_of_a_ticket_are_tagged_by_the_next_upload(empty: RunningCloudlet) -> None:
    ticket = published()
    for kind in gateway.KINDS:  # as uploaded by a version without tags
        content = getattr(ticket, kind.name).read()
        stored = gateway.upload(kind, ticket.public_id_of(kind), content)
        EventTicket.objects.filter(pk=ticket.pk).update(**{f"{kind.name}_version": stored.version})
    assert tags() == [set(), set()]
    well, said = doctor("--fix")
    assert well, said
    assert "2 files listed" in said
    assert "×" not in said

    requests.rerender(ticket)
    assert publish(ticket.pk) == EventTicket.State.READY
    assert tags() == [{deployment_tag()}] * 2, "not tagged by the next upload"


def tags() -> list[set[str]]:
    return [set(file.tags) for file in gateway.list_files("tickets/")[0]]


@pytest.mark.parametrize("delivery_type", ["authenticated", "upload"])
def test_untagged_files_of_no_ticket_are_deleted_only_on_request(
    empty: RunningCloudlet, settings: Any, delivery_type: str
) -> None:
    gone = make_ticket()
    settings.CLOUDINARY_DELIVERY_TYPE = delivery_type
    for kind in gateway.KINDS:
        gateway.upload(kind, gone.public_id_of(kind), PNG)
    settings.CLOUDINARY_DELIVERY_TYPE = "authenticated"
    remove_from_the_database(gone)
    for arguments in ((), ("--fix",), ("--fix", "--delete-many")):
        well, said = doctor(*arguments)
        assert well, said
        assert "⚠️ 2 × unmarked" in said
    assert on_storage(gone)[delivery_type] == 2
    well, said = doctor("--fix", "--delete-unmarked")
    assert well, said
    assert "2 repairs made" in said
    assert on_storage(gone) == {"authenticated": 0, "upload": 0}


def test_many_untagged_orphans_are_deleted_only_with_delete_many(empty: RunningCloudlet) -> None:
    event = make_ticket().event_id
    for _ in range(21):
        gateway.upload(gateway.QR_CODE, gateway.QR_CODE.public_id(event, uuid.uuid4()), PNG)
    well, said = doctor("--fix", "--delete-unmarked")
    assert not well
    assert "Most of the files belong to no ticket" in said
    well, said = doctor("--fix", "--delete-unmarked", "--delete-many")
    assert well, said
    assert "21 repairs made" in said


def test_every_upload_is_tagged(empty: RunningCloudlet) -> None:
    published()
    pipeline.publish_many([make_ticket().pk, make_ticket().pk])
    assert tags() == [{deployment_tag()}] * 6


def test_listing_of_an_earlier_version_is_discarded(empty: RunningCloudlet) -> None:
    path: Path = runs.inventory_path()
    with sqlite3.connect(path) as old:
        old.executescript(
            "CREATE TABLE about (account TEXT NOT NULL, began REAL NOT NULL);"
            "CREATE TABLE listing (resource_type TEXT, delivery_type TEXT, prefix TEXT,"
            " cursor TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0);"
            "CREATE TABLE file (resource_type TEXT, delivery_type TEXT, public_id TEXT, version INTEGER,"
            " size INTEGER, etag TEXT, PRIMARY KEY (public_id, resource_type, delivery_type)) WITHOUT ROWID;"
        )
    published()
    well, said = doctor()
    assert well, said
    assert "2 files listed" in said
