"""Test that codes get the right verdict and that each ticket admits its holder once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from apps.accounts.models import User
from apps.checkin import admission
from apps.checkin.admission import CheckResult, Verdict
from apps.events import codes, issuing
from apps.events.codes import code_of
from apps.events.models import EventTicket, TicketCode
from apps.publishing import requests
from tests.factories import make_event, make_organiser, make_ticket, make_user
from tests.local_tickets import accept_id
from tests.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture
def dora() -> User:
    """Door staff of one organiser."""
    return make_user("dora@example.org")


@pytest.fixture
def ticket(dora: User) -> EventTicket:
    return make_ticket(event=make_event(organiser=make_organiser(door=dora)))


def test_code_is_valid_until_its_holder_is_admitted(ticket: EventTicket, dora: User) -> None:
    code = code_of(ticket)
    assert admission.check(code, dora).verdict is Verdict.VALID
    assert admission.check(code, dora).verdict is Verdict.VALID, "checking changes nothing"
    assert admission.admit(code, dora).verdict is Verdict.VALID
    assert admission.admit(code, dora).verdict is Verdict.USED
    assert admission.check(code, dora).verdict is Verdict.USED


def test_every_earlier_copy_of_a_reissued_ticket_is_refused(ticket: EventTicket, dora: User) -> None:
    copies = []
    for _ in range(3):
        copies.append(code_of(ticket))
        issuing.reissue(ticket)
    assert {admission.admit(copy, dora).verdict for copy in copies} == {Verdict.REISSUED}
    assert admission.admit(code_of(ticket), dora).verdict is Verdict.VALID


def test_code_of_another_event_is_wrong_event(ticket: EventTicket, dora: User) -> None:
    other = make_event(organiser=ticket.event.organiser)
    assert admission.check(code_of(ticket), dora, other).verdict is Verdict.WRONG_EVENT
    assert admission.admit(code_of(ticket), dora, other).verdict is Verdict.WRONG_EVENT
    assert admission.admit(code_of(ticket), dora, ticket.event).verdict is Verdict.VALID


def test_other_organisers_tickets_are_unknown(ticket: EventTicket) -> None:
    stranger = make_user()
    make_organiser("Others", door=stranger)
    assert admission.check(code_of(ticket), stranger) == CheckResult(Verdict.UNKNOWN)


def test_permission_to_view_tickets_does_not_allow_admission(ticket: EventTicket) -> None:
    auditor = make_user(is_staff=True)
    auditor.user_permissions.add(Permission.objects.get(codename="view_eventticket"))
    assert admission.check(code_of(ticket), auditor).verdict is Verdict.VALID
    with pytest.raises(PermissionDenied):
        admission.admit(code_of(ticket), auditor)
    ticket.refresh_from_db()
    assert not ticket.is_used


@pytest.mark.parametrize("text", ["", "AD1:", "hello", "\x00", "AD1:" + "A" * 5000, "{" * 2000, "🎫"])
def test_text_that_is_no_code_is_unknown(text: str, dora: User) -> None:
    assert admission.check(text, dora).verdict is Verdict.UNKNOWN


def test_a_deleted_tickets_code_is_unknown(ticket: EventTicket, dora: User) -> None:
    code = code_of(ticket)
    ticket.delete()
    assert admission.check(code, dora).verdict is Verdict.UNKNOWN


def test_unsigned_codes_are_valid_only_for_tickets_printed_with_them(ticket: EventTicket, dora: User) -> None:
    bare, as_json = str(ticket.ticket_id), json.dumps({"ticket_id": str(ticket.ticket_id)})
    assert admission.check(bare, dora).verdict is Verdict.UNKNOWN
    accept_id(ticket)
    assert admission.check(bare, dora).verdict is Verdict.VALID
    assert admission.check(as_json, dora).verdict is Verdict.VALID
    ticket.refresh_from_db()
    issuing.reissue(ticket)
    assert admission.check(bare, dora).verdict is Verdict.REISSUED


def test_concurrent_migration_to_cloudinary_does_not_admit_twice(
    ticket: EventTicket, dora: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migration accepts the printed code between the check and the UPDATE, which alone may yield VALID."""
    accept_id(ticket)
    printed = json.dumps({"ticket_id": str(ticket.ticket_id)})
    may_admit = admission.may_admit

    def note_printed_code(*args: Any) -> bool:
        assert codes.accept({ticket: [printed]}, TicketCode.Source.PICTURE).shared == {}
        assert requests.request_own_files([ticket]) == {ticket.pk}
        return may_admit(*args)

    monkeypatch.setattr(admission, "may_admit", note_printed_code)
    bare = str(ticket.ticket_id)
    assert [admission.admit(bare, dora).verdict for _ in range(2)] == [Verdict.VALID, Verdict.USED]
    ticket.refresh_from_db()
    assert ticket.is_used


def test_admission_that_loses_to_a_reissue_is_reissued(
    ticket: EventTicket, dora: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, may_admit = code_of(ticket), admission.may_admit

    def reissue_once(*args: Any) -> bool:
        if (row := EventTicket.objects.get()).code_generation == 0:
            issuing.reissue(row)
        return may_admit(*args)

    monkeypatch.setattr(admission, "may_admit", reissue_once)
    assert admission.admit(code, dora).verdict is Verdict.REISSUED
    ticket.refresh_from_db()
    assert not ticket.is_used


def _scan_at_once(scan: Callable[[], Verdict], devices: int = 8) -> list[Verdict]:
    return at_once([scan] * devices)


def test_one_of_many_simultaneous_scans_wins(ticket: EventTicket, dora: User) -> None:
    code = code_of(ticket)
    verdicts = _scan_at_once(lambda: admission.admit(code, dora).verdict)
    assert sorted(verdicts) == [Verdict.USED] * 7 + [Verdict.VALID]


def test_read_then_save_admits_several(ticket: EventTicket) -> None:
    """The negative control: the race that the conditional UPDATE prevents."""
    reading = threading.Barrier(8, timeout=20)

    def read_then_save() -> Verdict:
        row = EventTicket.objects.get(pk=ticket.pk)
        reading.wait()
        if row.is_used:
            return Verdict.USED
        row.used_at = timezone.now()
        row.save(update_fields=["used_at"])
        return Verdict.VALID

    assert _scan_at_once(read_then_save).count(Verdict.VALID) > 1
