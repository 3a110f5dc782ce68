"""Many rows are updated by one statement, each under its own conditions, on every database."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db.models import F

from apps.core.db import rows
from apps.core.db.rows import Row, update_each
from apps.events.models import EventTicket
from tests.factories import make_event, make_ticket

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


@pytest.fixture(params=["one statement", "a statement a row"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "a statement a row":
        monkeypatch.setattr(rows, "_can_update_from_values", lambda connection: False)
    return str(request.param)


def wanted(ticket: EventTicket, **conditions: Any) -> Row:
    values = {"qr_code_version": 1_700_000_000 + ticket.pk, "qr_code_etag": f"of {ticket.pk} 'ü'", "lease": None}
    return Row(ticket.pk, {"lease": ticket.lease, "revision": ticket.revision} | conditions, values)


def test_each_row_gets_its_own_values_and_only_if_its_conditions_hold(way: str) -> None:
    event = make_event()
    mine, stale, lost, other = (make_ticket(event=event, lease=uuid.uuid4(), revision=n) for n in range(4))
    given = [wanted(mine), wanted(stale, revision=99), wanted(lost, lease=uuid.uuid4())]

    assert update_each(EventTicket, given, state="ready", revision=F("revision") + 1) == {mine.pk}

    mine.refresh_from_db()
    assert (mine.qr_code_version, mine.qr_code_etag) == (1_700_000_000 + mine.pk, f"of {mine.pk} 'ü'")
    assert (mine.state, mine.revision, mine.lease) == ("ready", 1, None)
    for ticket in (stale, lost, other):
        before = (ticket.state, ticket.revision, ticket.lease)
        ticket.refresh_from_db()
        assert (ticket.state, ticket.revision, ticket.lease, ticket.qr_code_version) == (*before, None)


def test_nothing_to_update_asks_the_database_for_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert update_each(EventTicket, [], state="ready") == set()


def test_more_rows_than_a_statement_takes_are_several_statements(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    event = make_event()
    tickets = [make_ticket(event=event, lease=uuid.uuid4()) for _ in range(5)]
    monkeypatch.setattr(rows, "MOST_PARAMETERS", 2 * 6)  # two rows of a key, two conditions and three values
    with django_assert_num_queries(3):
        assert len(update_each(EventTicket, [wanted(ticket) for ticket in tickets], state="ready")) == 5
