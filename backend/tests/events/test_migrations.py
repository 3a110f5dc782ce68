"""Migrations keep every row of earlier releases; legacy tickets can be imported and keep their codes."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings

from apps.checkin.admission import Verdict, check
from apps.events import issuing
from apps.events.codes import code_of, find_ticket
from apps.events.models import Event, EventTicket, TicketCode
from apps.publishing import sweep
from apps.publishing.models import StoredFileDeletion
from cloudlet.testing import RunningCloudlet
from tests.database import Snapshot, restore_migrated
from tests.factories import make_user
from tests.local_tickets import json_code, old_qr_png, write_local
from tests.pictures import codes_in_pdf, codes_in_png
from tests.workers import publish

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.integration,
    pytest.mark.xdist_group("migrations"),  # they share the migrated database
]

MIGRATIONS = Path(issuing.__file__).with_name("migrations")
BEFORE_CLOUDINARY = [("events", "0002_eventticket_qr_code")]
BEFORE_TICKET_CODES = [("events", "0009_watching")]
BEFORE_ANY_TEXT_WAS_PRINTED = [("events", "0011_public_id_suffix")]


def migrate_to(targets: list[tuple[str, str]]) -> Any:
    """Migrate the database to the targets, and return the app registry of that state."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


def old_event(apps: Any, title: str) -> Any:
    organiser = apps.get_model("accounts", "Organiser").objects.create(name="Night Shift Concerts")
    starts_at = datetime(2024, 1, 15, 19, tzinfo=UTC)
    return apps.get_model("events", "Event").objects.create(organiser=organiser, title=title, starts_at=starts_at)


def fill(apps: Any) -> dict[str, uuid.UUID]:
    """Create legacy tickets: with a bare id, with JSON, with a missing file, and without a file. Return their ids."""
    event = old_event(apps, "before Cloudinary")
    ids = {kind: uuid.uuid4() for kind in ("bare", "json", "deleted", "none")}
    texts = {"bare": str(ids["bare"]), "json": json_code(ids["json"])}
    for kind, ticket_id in ids.items():
        name = "" if kind == "none" else f"qr_codes/ticket_{ticket_id}.png"
        if kind in texts:
            write_local(name, old_qr_png(texts[kind]))
        apps.get_model("events", "EventTicket").objects.create(
            ticket_id=ticket_id, event=event, holder_name="John Doe", quantity=2, qr_code=name
        )
    return ids


def migrate_forward() -> None:
    migrate_to(MigrationExecutor(connection).loader.graph.leaf_nodes())


@dataclass(frozen=True)
class Migrated:
    """A database with the rows of several releases, each in an event of its own, after all migrations."""

    snapshot: Snapshot
    media: Path
    ids: dict[str, uuid.UUID]
    legacy_rows: dict[uuid.UUID, dict[str, Any]]  # before the first of these migrations
    old_tickets: dict[str, Any]  # by what happened to them
    given_up: dict[str, bool]


@pytest.fixture(scope="module")
def migrated(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """Migrate back once, to the release before Cloudinary, and forward with a stop at each of the later releases."""
    media = tmp_path_factory.mktemp("media")
    ticket_codes = import_module("apps.events.migrations.0010_ticket_codes")
    with (
        django_db_blocker.unblock(),
        override_settings(MEDIA_ROOT=media),
        mock.patch.object(ticket_codes, "CHUNK", 2),
    ):
        apps = migrate_to(BEFORE_CLOUDINARY)
        ids = fill(apps)
        legacy_rows = {row["ticket_id"]: row for row in apps.get_model("events", "EventTicket").objects.values()}
        old_tickets = fill_before_ticket_codes(migrate_to(BEFORE_TICKET_CODES))
        given_up = fill_with_given_up_tickets(migrate_to(BEFORE_ANY_TEXT_WAS_PRINTED))
        migrate_forward()
        snapshot = Snapshot.take("all_releases")
        restore_migrated()
    return Migrated(snapshot, media, ids, legacy_rows, old_tickets, given_up)


@pytest.fixture
def only_rows_of(migrated: Migrated, settings: Any, db: None) -> Iterator[Callable[[str], None]]:
    """Return a function that leaves the rows of one release in the migrated database."""

    def delete_others(title: str) -> None:
        assert not TicketCode.objects.filter(ticket=None).exists()
        EventTicket.objects.exclude(event__title=title).delete()
        TicketCode.objects.filter(ticket=None).delete()
        StoredFileDeletion.objects.all().delete()
        assert Event.objects.filter(title=title).exists()

    settings.MEDIA_ROOT = migrated.media
    migrated.snapshot.restore()
    yield delete_others
    restore_migrated()


def test_rows_from_before_cloudinary_are_migrated_intact(
    migrated: Migrated, only_rows_of: Callable[[str], None]
) -> None:
    only_rows_of("before Cloudinary")
    before = migrated.legacy_rows
    assert "qr_code_cloudinary_id" not in before[migrated.ids["bare"]]
    after = {row["ticket_id"]: row for row in EventTicket.objects.values()}
    assert before.keys() == after.keys()
    for ticket_id, row in before.items():
        assert row.items() <= after[ticket_id].items()
        assert find_ticket(str(ticket_id))[1]
        assert after[ticket_id]["next_attempt_at"] is None, "the operator starts the import"
    assert sweep.pending_pks() == []


def test_legacy_tickets_are_imported_and_their_codes_valid_until_reissued(
    migrated: Migrated, only_rows_of: Callable[[str], None], cloudlet: RunningCloudlet
) -> None:
    only_rows_of("before Cloudinary")
    ids = migrated.ids
    said = io.StringIO()

    call_command("migrate_tickets_to_cloudinary", workers=2, stdout=said, stderr=said)

    assert "2 moved; printed codes stay valid" in said.getvalue()
    assert f"⚠️ QR code file not found for ticket {ids['deleted']}" in said.getvalue()
    staff = make_user(is_staff=True, is_superuser=True)
    for kind, ticket_id in ids.items():
        ticket = EventTicket.objects.get(ticket_id=ticket_id)
        printed = json_code(ticket_id) if kind == "json" else str(ticket_id)
        (today,) = codes_in_png(ticket.qr_code.read())
        assert codes_in_pdf(ticket.pdf_ticket.read()) == [today]
        assert today == code_of(ticket)
        assert check(printed, staff).verdict is check(today, staff).verdict is Verdict.VALID
        issuing.reissue(ticket)
        publish(ticket.pk)
        assert check(printed, staff).verdict is check(today, staff).verdict is Verdict.REISSUED


def fill_before_ticket_codes(apps: Any) -> dict[str, Any]:
    """Create tickets of before the table of accepted codes."""
    model, event = apps.get_model("events", "EventTicket"), old_event(apps, "before the table of codes")
    unmoved, moved, bare, reissued, used = (model(event=event, issued_before_signing=True) for _ in range(5))
    moved.legacy_code, bare.legacy_code = json_code(moved.ticket_id), str(bare.ticket_id)
    reissued.code_generation = 1
    used.used_at = datetime(2024, 1, 15, 19, tzinfo=UTC)
    signed = model(event=event)
    model.objects.bulk_create([unmoved, moved, bare, reissued, used, signed])
    return {"unmoved": unmoved, "moved": moved, "bare": bare, "reissued": reissued, "used": used, "signed": signed}


def test_every_code_that_was_valid_before_is_valid_by_the_table(
    migrated: Migrated, only_rows_of: Callable[[str], None]
) -> None:
    only_rows_of("before the table of codes")
    unmoved, moved, bare, reissued, used, signed = migrated.old_tickets.values()

    def verdict(ticket: Any, text: str) -> Verdict:
        return check(text, make_user(is_staff=True, is_superuser=True)).verdict

    for ticket in (unmoved, moved, bare):
        for text in (str(ticket.ticket_id), f" {ticket.ticket_id.hex.upper()}\r\n", json_code(ticket.ticket_id)):
            assert verdict(ticket, text) is Verdict.VALID
    assert verdict(reissued, str(reissued.ticket_id)) is Verdict.REISSUED
    assert verdict(used, json_code(used.ticket_id)) is Verdict.USED
    assert verdict(signed, str(signed.ticket_id)) is Verdict.UNKNOWN
    ids, pictures = (
        set(TicketCode.objects.filter(source=s).values_list("ticket", flat=True)) for s in ("ticket_id", "picture")
    )
    assert ids == {unmoved.pk, moved.pk, reissued.pk, used.pk}
    assert pictures == {moved.pk, bare.pk}, "pictures that were read before are not read again"


def test_the_third_migration_adds_the_three_documented_fields() -> None:
    loader = MigrationExecutor(connection).loader
    operations = loader.graph.nodes["events", "0003_eventticket_pdf_ticket_and_more"].operations
    names = {operation.name for operation in operations}
    assert names == {"qr_code_cloudinary_id", "pdf_ticket", "pdf_ticket_cloudinary_id"}


@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("0*.py")), ids=lambda path: path.stem)
def test_no_migration_imports_a_storage_module(path: Path) -> None:
    imports = [line for line in path.read_text().splitlines() if re.match(r"\s*(import|from) ", line)]
    assert imports
    assert not [line for line in imports if re.search(r"storage|media|cloudinary", line)]
    assert "storage=" not in path.read_text()


def test_previous_versions_can_issue_tickets_during_a_deployment() -> None:
    """The database is migrated first, so previous versions must be able to insert rows without the new columns."""
    for version in ("0007_issuing_key", "0009_watching"):
        before = MigrationExecutor(connection).loader.project_state([("events", version)]).apps
        old_tickets, event = before.get_model("events", "EventTicket"), old_event(before, "Old")
        ticket = EventTicket.objects.get(pk=old_tickets.objects.create(event=event).pk)
        assert ticket.requested_at is not None
        assert (ticket.public_id_suffix, ticket.published_suffix) == ("", "")
        assert ticket.event.layout == {}
        new = EventTicket.objects.create(event_id=event.pk)
        assert old_tickets.objects.get(pk=new.pk).legacy_code == "", "they can read new tickets too"


def fill_with_given_up_tickets(apps: Any) -> dict[str, bool]:
    """Create tickets that were given up, and a ready one. Return each reason, and whether it was the ticket's text."""
    model, event = apps.get_model("events", "EventTicket"), old_event(apps, "before any text was printed")
    reasons = {
        "holder: no font has U+1D4DB MATHEMATICAL BOLD SCRIPT CAPITAL L": True,
        "'Ann\\x02 Lee' holds the control character U+0002: remove it": True,
        "holder: 'Prof.' (100 characters) is too long for its place on the ticket: shorten it": True,
        "error: 'H' format requires 0 <= number <= 65535": True,
        "layout: elements/title/size: -3 is less than the minimum of 4": False,
        "Invalid cloud_name demo": False,
    }
    for reason in reasons:
        model.objects.create(
            event=event, state="failed", next_attempt_at=None, attempts=1, reason=reason, in_bulk=False
        )
    model.objects.create(event=event, state="ready", next_attempt_at=None)
    return reasons


def test_tickets_given_up_for_their_text_are_pending_again(
    migrated: Migrated, only_rows_of: Callable[[str], None]
) -> None:
    """Tickets that were given up for other reasons, or are ready, do not change."""
    only_rows_of("before any text was printed")
    assert EventTicket.objects.count() == 7
    pending = set(EventTicket.objects.pending().values_list("reason", flat=True))
    assert pending == {reason for reason, is_text in migrated.given_up.items() if is_text}
