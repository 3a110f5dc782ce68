"""Migrations keep every row of earlier releases; legacy tickets can be imported and keep their codes."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.checkin.admission import Verdict, check
from apps.events import issuing
from apps.events.codes import code_of, find_ticket
from apps.events.models import EventTicket, TicketCode
from apps.publishing import sweep
from cloudlet.testing import RunningCloudlet
from tests.database import restore_migrated
from tests.factories import make_user
from tests.local_tickets import json_code, old_qr_png, write_local
from tests.pictures import codes_in_pdf, codes_in_png
from tests.workers import publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases, pytest.mark.integration]

MIGRATIONS = Path(issuing.__file__).with_name("migrations")
BEFORE = [("events", "0002_eventticket_qr_code")]


def migrate_to(targets: list[tuple[str, str]]) -> Any:
    """Migrate the database to the targets, and return the app registry of that state."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def old_apps(settings: Any, tmp_path: Path) -> Iterator[Any]:
    """Migrate back to the release before Cloudinary, and yield its models."""
    settings.MEDIA_ROOT = tmp_path / "media"
    yield migrate_to(BEFORE)
    restore_migrated()


def fill(apps: Any) -> dict[str, uuid.UUID]:
    """Create legacy tickets: with a bare id, with JSON, with a missing file, and without a file. Return their ids."""
    organiser = apps.get_model("accounts", "Organiser").objects.create(name="Night Shift Concerts")
    starts_at = datetime(2024, 1, 15, 19, tzinfo=UTC)
    event = apps.get_model("events", "Event").objects.create(
        organiser=organiser, title="Concert Night", starts_at=starts_at
    )
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


def test_rows_from_before_cloudinary_are_migrated_intact(old_apps: Any) -> None:
    ids = fill(old_apps)
    model = old_apps.get_model("events", "EventTicket")
    before = {row["ticket_id"]: row for row in model.objects.values()}
    assert "qr_code_cloudinary_id" not in before[ids["bare"]]

    migrate_forward()

    after = {row["ticket_id"]: row for row in EventTicket.objects.values()}
    assert before.keys() == after.keys()
    for ticket_id, row in before.items():
        assert row.items() <= after[ticket_id].items()
        assert find_ticket(str(ticket_id))[1]
        assert after[ticket_id]["next_attempt_at"] is None, "the operator starts the import"
    assert sweep.pending_pks() == []


def test_legacy_tickets_are_imported_and_their_codes_valid_until_reissued(
    old_apps: Any, cloudlet: RunningCloudlet
) -> None:
    ids = fill(old_apps)
    migrate_forward()
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


@pytest.fixture
def before_ticket_codes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Migrate back to before the table of accepted codes, with a small chunk size, and yield the models."""
    module = import_module("apps.events.migrations.0010_ticket_codes")
    monkeypatch.setattr(module, "CHUNK", 2)
    yield migrate_to([("events", "0009_watching")])
    restore_migrated()


def old_event(apps: Any) -> Any:
    organiser = apps.get_model("accounts", "Organiser").objects.create(name="Night Shift Concerts")
    starts_at = datetime(2024, 1, 15, 19, tzinfo=UTC)
    return apps.get_model("events", "Event").objects.create(organiser=organiser, title="Old", starts_at=starts_at)


def test_every_code_that_was_valid_before_is_valid_by_the_table(before_ticket_codes: Any) -> None:
    model, event = before_ticket_codes.get_model("events", "EventTicket"), old_event(before_ticket_codes)
    unmoved, moved, bare, reissued, used = (model(event=event, issued_before_signing=True) for _ in range(5))
    moved.legacy_code, bare.legacy_code = json_code(moved.ticket_id), str(bare.ticket_id)
    reissued.code_generation = 1
    used.used_at = datetime(2024, 1, 15, 19, tzinfo=UTC)
    signed = model(event=event)
    model.objects.bulk_create([unmoved, moved, bare, reissued, used, signed])

    migrate_forward()

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
        old_tickets, event = before.get_model("events", "EventTicket"), old_event(before)
        ticket = EventTicket.objects.get(pk=old_tickets.objects.create(event=event).pk)
        assert ticket.requested_at is not None
        assert (ticket.public_id_suffix, ticket.published_suffix) == ("", "")
        assert ticket.event.layout == {}
        new = EventTicket.objects.create(event_id=event.pk)
        assert old_tickets.objects.get(pk=new.pk).legacy_code == "", "they can read new tickets too"


@pytest.fixture
def before_any_text_was_printed() -> Iterator[Any]:
    yield migrate_to([("events", "0011_public_id_suffix")])
    restore_migrated()


def test_tickets_given_up_for_their_text_are_pending_again(before_any_text_was_printed: Any) -> None:
    """Tickets that were given up for other reasons, or are ready, do not change."""
    model, event = (
        before_any_text_was_printed.get_model("events", "EventTicket"),
        old_event(before_any_text_was_printed),
    )
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

    migrate_forward()

    pending = set(EventTicket.objects.pending().values_list("reason", flat=True))
    assert pending == {reason for reason, is_text in reasons.items() if is_text}
