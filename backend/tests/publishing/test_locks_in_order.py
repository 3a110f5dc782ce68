"""Bulk work locks tickets in primary-key order, so that it does not deadlock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.events.models import EventTicket, EventTicketQuerySet
from apps.publishing import queues, requests, sweep
from apps.publishing.outcomes import TICKETS
from tests.factories import make_event, make_ticket
from tests.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

HAS_ROW_LOCKS = connection.vendor == "postgresql"  # SQLite has one lock for everything
Pks = Sequence[int]


def some(pks: Pks) -> EventTicketQuerySet:
    return EventTicket.objects.filter(pk__in=pks)


def backwards(pks: Pks) -> dict[EventTicket, str]:
    return dict.fromkeys(some(pks).order_by("-pk"), "")


WORK: dict[str, Callable[[Pks], object]] = {
    "a request": lambda pks: requests.rerender_many(some(pks)),
    "a request by a caller that makes the files": lambda pks: requests.request_own_files(backwards(pks)),
    "postponing": lambda pks: TICKETS.postpone(pks, 600),
    "a sweep": lambda pks: sweep.requeue_due(),
}


@pytest.fixture
def pks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Create three due tickets, the second one in bulk.

    The first ticket is due last, and an UPDATE has moved its row behind the others in the table.
    """
    monkeypatch.setattr(dispatch, "send", lambda *arguments: None)
    monkeypatch.setattr(queues, "queue_length", lambda *, bulk: 0)
    if HAS_ROW_LOCKS:
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE events_eventticket CASCADE"
            )  # no gaps, so that rows are stored in order of writing
    event = make_event()
    made = [make_ticket(event=event, next_attempt_at=timezone.now() - timedelta(hours=1)).pk for _ in range(3)]
    some(made[1:2]).update(in_bulk=True)
    some(made[:1]).update(holder_email="moved@example.org", next_attempt_at=timezone.now())
    if HAS_ROW_LOCKS:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE events_eventticket")  # makes the planner use sequential scans
    return made


def waiting() -> int:
    """Return the number of connections to this database that wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # statistics are cached within a transaction
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def until_waiting(number: int) -> None:
    ends_at = time.monotonic() + 5
    while HAS_ROW_LOCKS and waiting() < number:
        assert time.monotonic() < ends_at, f"{number} should wait by now"
        time.sleep(0.01)


def race(first: Callable[[], object], second: Callable[[], object], middle: int) -> list[str]:
    """Block `first` at the row in the middle, start `second` meanwhile, and return the errors of both."""
    errors: list[str] = []
    is_held, first_waits = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            some([middle]).update(reason="held")
            is_held.set()
            until_waiting(1)
            first_waits.set()
            until_waiting(2)

    def run(work: Callable[[], object], after: threading.Event) -> None:
        assert after.wait(20)
        try:
            work()
        except OperationalError as error:
            errors.append(str(error))

    at_once([hold, lambda: run(first, is_held), lambda: run(second, first_waits)])
    return errors


@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_claims_and_bulk_work_do_not_deadlock(pks: list[int], work: Callable[[Pks], object]) -> None:
    assert race(lambda: TICKETS.claim_these(pks), lambda: work([pks[0], pks[2]]), pks[1]) == []


def test_retrying_given_up_tickets_does_not_deadlock(pks: list[int]) -> None:
    some([pks[0], pks[2]]).update(state=EventTicket.State.FAILED, next_attempt_at=None)
    assert race(lambda: requests.rerender_many(some(pks)), sweep.retry_given_up, pks[1]) == []


@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_negative_control_without_the_lock_order_there_is_a_deadlock(
    pks: list[int], work: Callable[[Pks], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_order = EventTicketQuerySet.locked

    def not_locked(self: Any) -> list[int]:
        return list(self.values_list("pk", flat=True))

    def claim() -> None:
        with transaction.atomic():
            in_order(some(pks))

    monkeypatch.setattr(EventTicketQuerySet, "locked", not_locked)
    errors = race(claim, lambda: work([pks[0], pks[2]]), pks[1])
    assert [error.splitlines()[0] for error in errors] == ["deadlock detected"] * HAS_ROW_LOCKS
