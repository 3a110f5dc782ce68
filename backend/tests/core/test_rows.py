"""`update_rows` writes each row's own values, on PostgreSQL by few statements."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from apps.core.db import rows
from apps.core.db.rows import update_rows
from apps.events.models import EventTicket
from tests.factories import make_event, make_ticket

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


def values_of(ticket: EventTicket) -> dict[str, Any]:
    return {"qr_code_version": 1_700_000_000 + ticket.pk, "qr_code_etag": f"of {ticket.pk} 'ü'", "lease": None}


def test_each_row_gets_its_own_and_the_common_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_PARAMETERS", 2 * 4)  # two rows of a key and three values
    event = make_event()
    *written, other = (make_ticket(event=event) for _ in range(6))

    update_rows(EventTicket, {ticket.pk: values_of(ticket) for ticket in written}, {"state": "ready", "reason": "%s"})

    for ticket in written:
        ticket.refresh_from_db()
        assert {name: getattr(ticket, name) for name in values_of(ticket)} == values_of(ticket)
        assert (ticket.state, ticket.reason) == ("ready", "%s")
    other.refresh_from_db()
    assert (other.state, other.qr_code_version) == ("pending", None)


def test_many_rows_take_one_statement_on_postgresql(django_assert_num_queries: Any) -> None:
    event = make_event()
    written = {ticket.pk: values_of(ticket) for ticket in (make_ticket(event=event) for _ in range(5))}
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 5):
        update_rows(EventTicket, written, {"state": "ready"})


def test_no_rows_take_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        update_rows(EventTicket, {}, {"state": "ready"})
