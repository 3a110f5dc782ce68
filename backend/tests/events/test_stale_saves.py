"""Each column has one writer, so saving a stale object does not undo concurrent changes (lost updates)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models
from django.utils import timezone

from apps.checkin import admission
from apps.events import issuing
from apps.events.codes import code_of
from apps.events.issuing import Holder
from apps.events.models import Event, EventTicket
from apps.publishing import fingerprints, invalidation
from apps.publishing.outcomes import TICKETS
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket, make_user
from tests.races import at_once
from tests.workers import publish

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


def columns(row: models.Model) -> dict[str, Any]:
    return type(row)._base_manager.filter(pk=row.pk).values().get()


# -- Tickets -----------------------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[], EventTicket]] = {
    "created": make_ticket,
    "issued in bulk": lambda: issuing.issue_many(make_event(), [Holder("John"), Holder("Jo")])[0],
    "read": lambda: EventTicket.objects.get(pk=make_ticket().pk),
    "read in part": lambda: EventTicket.objects.only("order_reference").get(pk=make_ticket().pk),
}


def admit(ticket: EventTicket) -> None:
    verdict = admission.admit(code_of(ticket), make_user(is_superuser=True)).verdict
    assert verdict is admission.Verdict.VALID


def rename(ticket: EventTicket) -> None:
    ticket.holder_name = "Jane Doe"
    ticket.save()


# A concurrent change of the ticket, and the column that shows it.
EVENTS: dict[str, tuple[Callable[[EventTicket], Any], str]] = {
    "admitted": (admit, "used_at"),
    "re-issued": (issuing.reissue, "code_generation"),
    "published": (lambda ticket: publish(ticket.pk), "qr_code_version"),
    "claimed": (lambda ticket: TICKETS.claim_these([ticket.pk]), "lease"),
    "renamed": (rename, "holder_name"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", EVENTS)
def test_save_of_a_stale_ticket_undoes_nothing(cloudlet: RunningCloudlet, what: str, way: str) -> None:
    stale, holder = WAYS[way](), make_user()
    happen, column = EVENTS[what]
    before = columns(stale)[column]
    happen(EventTicket.objects.get(pk=stale.pk))
    there = columns(stale)
    assert there[column] != before
    stale.save()
    stale.holder = holder
    stale.save()
    assert columns(stale) == there | {"holder_id": holder.pk}


@pytest.mark.parametrize("what", EVENTS)
def test_negative_control_djangos_save_of_a_stale_ticket_undoes_changes(cloudlet: RunningCloudlet, what: str) -> None:
    """Django's own `save()` writes every column."""
    stale = EventTicket.objects.get(pk=make_ticket().pk)
    happen, column = EVENTS[what]
    before = columns(stale)[column]
    happen(EventTicket.objects.get(pk=stale.pk))
    models.Model.save(stale)
    assert columns(stale)[column] == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("names", [("Jane Doe", "Ann Lee"), ("Jane Doe", "Jane Doe"), ("Jane Doe", "John Doe")])
def test_files_match_the_row_after_concurrent_edits(cloudlet: RunningCloudlet, names: tuple[str, str]) -> None:
    ticket = make_ticket(holder_name="John Doe")
    publish(ticket.pk)
    editors = [EventTicket.objects.get(pk=ticket.pk) for _ in names]
    for editor, name in zip(editors, names, strict=True):
        editor.holder_name = name
    at_once([editor.save for editor in editors])
    publish(ticket.pk)
    row = EventTicket.objects.get(pk=ticket.pk)
    assert row.holder_name in names
    assert row.state == EventTicket.State.READY
    assert fingerprints.shows_its_values(row)


def edited_while_drawn(monkeypatch: pytest.MonkeyPatch, save: Callable[[EventTicket], Any]) -> EventTicket:
    """Edit a ticket while a worker renders an earlier edit, run the workers to the end, and return the ticket."""
    ticket = make_ticket(holder_name="John Doe")
    publish(ticket.pk)
    first, second = (EventTicket.objects.get(pk=ticket.pk) for _ in range(2))
    rename(first)
    second.holder_name = "Ann Lee"
    upload, edits = gateway.upload, iter([save])

    def edit_meanwhile(kind: gateway.FileKind, *arguments: Any) -> gateway.StoredFile:
        if kind is gateway.QR_CODE and (edit := next(edits, None)):
            edit(second)
            connection.close()  # this thread's own
        return upload(kind, *arguments)

    monkeypatch.setattr(gateway, "upload", edit_meanwhile)
    publish(ticket.pk)
    publish(ticket.pk)
    row = EventTicket.objects.get(pk=ticket.pk)
    assert (row.holder_name, row.state) == ("Ann Lee", EventTicket.State.READY)
    return row


@pytest.mark.django_db(transaction=True)
def test_edit_during_rendering_is_rendered_too(cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fingerprints.shows_its_values(edited_while_drawn(monkeypatch, EventTicket.save))


@pytest.mark.django_db(transaction=True)
def test_negative_control_update_during_rendering_is_not_rendered(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`update()` sends no signal."""

    def update(ticket: EventTicket) -> None:
        EventTicket.objects.filter(pk=ticket.pk).update(holder_name=ticket.holder_name)

    assert not fingerprints.shows_its_values(edited_while_drawn(monkeypatch, update))


@pytest.mark.django_db(transaction=True)
def test_concurrent_edit_and_admission_are_both_saved() -> None:
    ticket = make_ticket()
    staff = make_user(is_superuser=True)
    editor = EventTicket.objects.get(pk=ticket.pk)
    editor.holder_name = "Jane Doe"
    at_once([editor.save, lambda: admission.admit(code_of(ticket), staff)])
    row = EventTicket.objects.get(pk=ticket.pk)
    assert (row.holder_name, row.is_used) == ("Jane Doe", True)


# -- Events ------------------------------------------------------------------------------------------------------


def follow(event: Event) -> None:
    invalidation.republish_changed(timezone.now() + timedelta(minutes=1))


def move(event: Event) -> None:
    event.venue = "New Mill"
    event.save()


CHANGES: dict[str, tuple[Callable[[Event], Any], str]] = {
    "followed": (follow, "fingerprint"),
    "edited": (move, "venue"),
}


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("what", CHANGES)
def test_save_of_a_stale_event_undoes_nothing(what: str, read: bool) -> None:
    stale = make_event(republish_after=timezone.now() if what == "followed" else None)
    stale = Event.objects.get(pk=stale.pk) if read else stale
    happen, column = CHANGES[what]
    before = columns(stale)[column]
    happen(Event.objects.get(pk=stale.pk))
    there = columns(stale)
    assert there[column] != before
    stale.title = "Late Edit"
    stale.save()
    assert columns(stale) == there | {"title": "Late Edit"}


@pytest.mark.parametrize("what", CHANGES)
def test_negative_control_djangos_save_of_a_stale_event_undoes_changes(what: str) -> None:
    """Django's own `save()` writes every column."""
    stale = make_event(republish_after=timezone.now() if what == "followed" else None)
    happen, column = CHANGES[what]
    before = columns(stale)[column]
    happen(Event.objects.get(pk=stale.pk))
    models.Model.save(stale)
    assert columns(stale)[column] == before
