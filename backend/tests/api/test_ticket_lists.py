"""Lists of a holder's tickets and of an event's tickets: pagination, filters, number of queries."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.events.codes import code_of
from apps.events.event_images import save_event_image
from apps.events.models import Event, EventImage, EventTicket
from tests.factories import make_event, make_organiser, make_picture, make_ticket, make_ticket_type, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.databases]
OWN = "/api/events/tickets/"


@pytest.fixture
def hanna(client: Client) -> User:
    """Sign Hanna in."""
    user = make_user("hanna@example.org")
    client.force_login(user)
    return user


@pytest.fixture
def managed(client: Client, hanna: User) -> Event:
    """Create an event that Hanna manages."""
    return make_event(organiser=make_organiser(manager=hanna))


def pages(client: Client, url: str, **query: Any) -> list[list[str]]:
    """Return the ticket ids on every page, following the cursors."""
    found, cursor = [], ""
    while True:
        answer = client.get(url, {**query, "cursor": cursor})
        assert answer.status_code == 200, answer.content
        found.append([item["ticket_id"] for item in answer.json()["items"]])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def ids(tickets: list[EventTicket]) -> list[str]:
    return [str(ticket.ticket_id) for ticket in tickets]


def test_own_tickets_are_those_of_the_account_and_of_confirmed_addresses(client: Client, hanna: User) -> None:
    EmailAddress.objects.create(user=hanna, email="hanna@unconfirmed.example", verified=False)
    by_account = make_ticket(holder=hanna, holder_email="gift@example.org")
    by_address = make_ticket(holder=None, holder_email="Hanna@Example.org")
    make_ticket(holder=None, holder_email="hanna@unconfirmed.example")
    make_ticket(holder=make_user(), holder_email="hanna@example.org")  # given away
    make_ticket()
    assert pages(client, OWN) == [ids([by_address, by_account])]
    assert client.get(OWN).json()["items"][0]["code"] == code_of(by_address)


def test_pages_stay_stable_while_tickets_are_issued_and_deleted(client: Client, hanna: User) -> None:
    event = make_event()
    tickets = [make_ticket(event=event, holder=hanna) for _ in range(7)]
    first = client.get(OWN, {"limit": 3}).json()
    assert [item["ticket_id"] for item in first["items"]] == ids(tickets[:3:-1])

    make_ticket(event=event, holder=hanna)
    tickets[4].delete()  # the last one of the first page
    second = client.get(OWN, {"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [item["ticket_id"] for item in second["items"]] == ids(tickets[3:0:-1])
    third = client.get(OWN, {"limit": 3, "cursor": second["next_cursor"]}).json()
    assert [item["ticket_id"] for item in third["items"]] == ids(tickets[:1])
    assert third["next_cursor"] is None


def test_a_full_last_page_has_no_next_cursor(client: Client, hanna: User) -> None:
    event = make_event()
    tickets = [make_ticket(event=event, holder=hanna) for _ in range(4)]
    assert pages(client, OWN, limit=2) == [ids(tickets[:1:-1]), ids(tickets[1::-1])]


@pytest.mark.integration
def test_the_number_of_queries_does_not_grow_with_the_page(client: Client, hanna: User) -> None:
    def queries_for(url: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        return len(queries)

    event = make_event(organiser=make_organiser(manager=hanna))
    save_event_image(event, EventImage.Kind.COVER, make_picture())
    standing = make_ticket_type(event)
    make_ticket(event=event, ticket_type=standing, holder=hanna)
    urls = [OWN, f"/api/events/{event.pk}/tickets/"]
    small = [queries_for(url) for url in urls]
    for _ in range(20):
        make_ticket(event=event, ticket_type=standing, holder=hanna)
        make_ticket(holder=hanna)
    assert [queries_for(url) for url in urls] == small
    assert max(small) <= 6


@pytest.mark.integration
def test_lists_do_not_read_the_content_of_pictures(client: Client, hanna: User) -> None:
    event = make_event()
    save_event_image(event, EventImage.Kind.COVER, make_picture())
    make_ticket(event=event, holder=hanna)
    with CaptureQueriesContext(connection) as queries:
        client.get(OWN)
    assert not [query["sql"] for query in queries if '"content"' in query["sql"]]


def test_an_unchanged_list_gets_304(client: Client, hanna: User) -> None:
    make_ticket(holder=hanna)
    etag = client.get(OWN)["ETag"]
    assert client.get(OWN, headers={"If-None-Match": etag}).status_code == 304
    make_ticket(holder=hanna)
    assert client.get(OWN, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "\x00", "AAAAAAAAAAA=", "//////////8", "_" * 11, "A" * 5000])
def test_a_forged_cursor_is_refused_or_harmless(client: Client, hanna: User, cursor: str) -> None:
    make_ticket(holder=hanna)
    answer = client.get(OWN, {"cursor": cursor})
    assert answer.status_code in (200, 422)
    if answer.status_code == 422:
        assert answer.json()["error"]["details"][0]["field"] == "query.cursor"


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", ""])
def test_a_limit_out_of_range_gets_422(client: Client, hanna: User, limit: str) -> None:
    answer = client.get(OWN, {"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "query.limit"


def test_managers_filter_by_state_and_search(client: Client, managed: Event) -> None:
    ada = make_ticket(event=managed, holder_name="Ada Lovelace", holder_email="ada@example.org")
    zoe = make_ticket(event=managed, holder_name="Zoë", holder_email="zoe@example.com", order_reference="R-77")
    failed = make_ticket(event=managed, holder_name="Frank")
    EventTicket.objects.filter(pk=failed.pk).update(state=EventTicket.State.FAILED, reason="Invalid cloud_name")
    make_ticket(holder_name="Ada of another event")
    url = f"/api/events/{managed.pk}/tickets/"

    assert pages(client, url) == [ids([failed, zoe, ada])]
    assert pages(client, url, state="failed") == [ids([failed])]
    assert client.get(url, {"state": "failed"}).json()["items"][0]["reason"] == "Invalid cloud_name"
    assert pages(client, url, state="pending", limit=1) == [ids([zoe]), ids([ada])]
    assert pages(client, url, search="lovel") == [ids([ada])]
    assert pages(client, url, search="@EXAMPLE.com") == [ids([zoe])]
    assert pages(client, url, search="r-77") == [ids([zoe])]
    assert pages(client, url, search=f" {str(ada.ticket_id).upper()} ") == [ids([ada])]
    assert pages(client, url, search="%") == [[]]


@pytest.mark.parametrize(
    ("query", "field"), [({"state": "lost"}, "query.state"), ({"search": "a\x00b"}, "query.search")]
)
def test_invalid_filters_get_422(client: Client, managed: Event, query: dict[str, str], field: str) -> None:
    answer = client.get(f"/api/events/{managed.pk}/tickets/", query)
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


@pytest.mark.parametrize("event_id", [0, 2**31, 2**63, 10**40])
def test_event_ids_that_do_not_exist_get_404(client: Client, hanna: User, event_id: int) -> None:
    assert client.get(f"/api/events/{event_id}/tickets/").status_code == 404
