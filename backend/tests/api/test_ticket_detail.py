"""GET /api/events/ticket/{ticket_id}/: content, access levels, caching, number of queries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import urllib3
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.events import issuing
from apps.events.codes import code_of
from apps.events.event_images import save_event_image
from apps.events.models import EventImage, EventTicket
from apps.publishing import requests
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_organiser, make_picture, make_ticket, make_ticket_type, make_user
from tests.pictures import codes_in_pdf, codes_in_png
from tests.workers import publish

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


@pytest.fixture
def hanna() -> User:
    """Return the holder of the ticket."""
    return make_user("hanna@example.org")


@pytest.fixture
def ticket(hanna: User) -> EventTicket:
    event = make_event(
        starts_at=datetime(2027, 6, 18, 18, 0, tzinfo=UTC),
        doors_at=datetime(2027, 6, 18, 17, 0, tzinfo=UTC),
        time_zone="Asia/Kolkata",
        organiser=make_organiser(manager=make_user("max@example.org"), door=make_user("dora@example.org")),
    )
    return make_ticket(
        event=event, ticket_type=make_ticket_type(event), holder=hanna, holder_name="Hanna", holder_email=hanna.email
    )


def url_of(ticket: EventTicket) -> str:
    return f"/api/events/ticket/{ticket.ticket_id}/"


def test_a_pending_ticket_already_has_its_code(client: Client, hanna: User, ticket: EventTicket) -> None:
    client.force_login(hanna)
    body = client.get(url_of(ticket)).json()
    assert body == {
        "ticket_id": str(ticket.ticket_id),
        "event": {
            "id": ticket.event_id,
            "title": "Concert Night",
            "starts_at": "2027-06-18T23:30:00+05:30",
            "ends_at": None,
            "doors_at": "2027-06-18T22:30:00+05:30",
            "time_zone": "Asia/Kolkata",
            "venue": "Old Mill",
            "address": "Mill Street 1, Berlin",
            "cover_url": None,
        },
        "holder": {"name": "Hanna", "email": "hanna@example.org"},
        "quantity": 2,
        "ticket_type": "Standing",
        "order_reference": "",
        "state": "pending",
        "reason": None,
        "code": code_of(ticket),
        "qr_code_url": None,
        "pdf_ticket_url": None,
        "apple_wallet_url": None,
        "google_wallet_url": None,
        "issued_at": body["issued_at"],
        "used_at": None,
    }
    assert datetime.fromisoformat(body["issued_at"]).tzinfo == UTC


def test_the_urls_serve_files_with_the_code(
    client: Client, hanna: User, ticket: EventTicket, cloudlet: RunningCloudlet
) -> None:
    publish(ticket.pk)
    client.force_login(hanna)
    body = client.get(url_of(ticket)).json()
    assert body["state"] == "ready"
    assert f"/tickets/qr_codes/{ticket.event_id}/ticket_{ticket.ticket_id}.png" in body["qr_code_url"]
    assert f"/tickets/pdf/{ticket.event_id}/ticket_{ticket.ticket_id}.pdf" in body["pdf_ticket_url"]
    png = urllib3.request("GET", body["qr_code_url"], timeout=10)
    pdf = urllib3.request("GET", body["pdf_ticket_url"], timeout=10)
    assert png.headers["Content-Type"] == "image/png"
    assert codes_in_png(png.data) == codes_in_pdf(pdf.data) == [body["code"]]


def test_old_urls_stay_during_a_re_render_but_not_after_a_reissue(
    client: Client, hanna: User, ticket: EventTicket, cloudlet: RunningCloudlet
) -> None:
    publish(ticket.pk)
    client.force_login(hanna)
    ready = client.get(url_of(ticket)).json()

    ticket.refresh_from_db()
    requests.rerender(ticket)
    rendering = client.get(url_of(ticket)).json()
    assert rendering == ready | {"state": "pending"}

    issuing.reissue(ticket)
    reissued = client.get(url_of(ticket)).json()
    assert (reissued["qr_code_url"], reissued["pdf_ticket_url"]) == (None, None)
    assert reissued["code"] != ready["code"]


def test_an_unchanged_ticket_gets_304(client: Client, hanna: User, ticket: EventTicket) -> None:
    client.force_login(hanna)
    first = client.get(url_of(ticket))
    assert first["Cache-Control"] == "private, no-cache"
    assert {"Cookie", "X-Session-Token"} <= set(first["Vary"].split(", "))

    again = client.get(url_of(ticket), headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]

    EventTicket.objects.update(used_at=datetime(2027, 6, 18, 18, 30, tzinfo=UTC))
    changed = client.get(url_of(ticket), headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed.json()["used_at"] == "2027-06-18T18:30:00Z"


def test_door_staff_see_the_holder_but_no_code_and_no_files(
    client: Client, ticket: EventTicket, cloudlet: RunningCloudlet
) -> None:
    publish(ticket.pk)
    client.force_login(User.objects.get(email="dora@example.org"))
    body = client.get(url_of(ticket)).json()
    assert (body["holder"], body["quantity"], body["ticket_type"]) == ({"name": "Hanna", "email": None}, 2, "Standing")
    assert (body["code"], body["qr_code_url"], body["pdf_ticket_url"]) == (None, None, None)


def test_only_organisers_see_the_reason_of_a_failure(client: Client, hanna: User, ticket: EventTicket) -> None:
    EventTicket.objects.update(state=EventTicket.State.FAILED, reason="Invalid cloud_name")
    client.force_login(hanna)
    to_hanna = client.get(url_of(ticket)).json()
    client.force_login(User.objects.get(email="max@example.org"))
    to_max = client.get(url_of(ticket)).json()
    assert (to_hanna["state"], to_hanna["reason"]) == ("failed", None)
    assert to_max["reason"] == "Invalid cloud_name"


@pytest.mark.integration
def test_the_cover_needs_no_sign_in_and_is_cached(client: Client, hanna: User, ticket: EventTicket) -> None:
    image = save_event_image(ticket.event, EventImage.Kind.COVER, make_picture())
    client.force_login(hanna)
    cover_url = client.get(url_of(ticket)).json()["event"]["cover_url"]
    client.logout()

    cover = client.get(cover_url)
    assert cover.status_code == 200
    assert cover.content == bytes(image.content)
    assert cover["Content-Type"] == "image/jpeg"
    assert "immutable" in cover["Cache-Control"]
    assert "Vary" not in cover

    save_event_image(ticket.event, EventImage.Kind.COVER, make_picture(320, 200))
    assert client.get(cover_url).status_code == 404
    assert client.get(f"/api/events/{ticket.event_id}/cover/%00/").status_code == 404


def test_a_ticket_takes_few_queries(client: Client, hanna: User, ticket: EventTicket) -> None:
    client.force_login(hanna)
    with CaptureQueriesContext(connection) as queries:
        client.get(url_of(ticket))
    assert len(queries) <= 5, [query["sql"] for query in queries.captured_queries]
