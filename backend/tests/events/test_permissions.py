"""The permissions on every route of the site, for every role. A route without a row fails a test.

The routes of Django, unfold and allauth have their rows in `test_every_route.py`.

To add a route, add a row to ROWS: the method, the route as in the URLconf, and the result for each role, in the order
of ROLES: a status, or LOGIN for a redirect to the sign-in page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.api.app import api
from apps.events.codes import code_of
from apps.events.event_images import save_event_image
from apps.events.models import EventImage, EventTicket
from tests.factories import make_event, make_organiser, make_picture, make_ticket, make_user
from tests.project.test_every_route import ROUTES as ROUTES_OF_OTHERS
from tests.wallet_credentials import Authority

pytestmark = [pytest.mark.django_db, pytest.mark.integration]

LOGIN = "login"
ROLES = (
    "nobody",  # not signed in
    "stranger",  # signed in, without any rights
    "holder",  # the ticket was issued to the account
    "confirmed",  # the ticket was issued to an address that this user has confirmed
    "unconfirmed",  # the ticket was issued to an address that this user claims, but has not confirmed
    "door",  # door staff of the event's team
    "manager",  # manager of the event's team
    "rival",  # manager of another team
    "viewer",  # Django staff with the permission events.view_eventticket
    "editor",  # Django staff with the permission events.change_eventticket
    "root",  # superuser
)


class Row(NamedTuple):
    method: str
    route: str
    #         nobody stranger holder confirmed unconfirmed door manager rival viewer editor root
    expected: tuple[int | str, ...]
    body: dict[str, Any] | None = None


TICKET_CODE = "the code of the ticket"  # a placeholder in the bodies below
REISSUE = {"reissue": True}
SCAN = {"code": TICKET_CODE}

ROWS = [
    # -- For monitors; /metrics needs a token that no role has ----------------------------------------------------
    Row("GET", "healthz", (200,) * 11),
    Row("GET", "readyz", (200,) * 11),
    Row("GET", "metrics", (404,) * 11),
    # -- The API ------------------------------------------------------------------------------------------------
    Row("GET", "api/", (404,) * 11),
    Row("GET", "api/docs", (200,) * 11),
    Row("GET", "api/openapi.json", (200,) * 11),
    Row("GET", "api/events/keys/", (200,) * 11),
    Row("GET", "api/events/<row_id:event_id>/cover/<sha256>/", (200,) * 11),
    Row("GET", "api/events/tickets/", (401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200)),
    Row("GET", "api/events/ticket/<ticket_id>/", (401, 404, 200, 200, 404, 200, 200, 404, 200, 200, 200)),
    Row("GET", "api/events/ticket/<ticket_id>/apple-wallet/", (401, 404, 200, 200, 404, 404, 200, 404, 200, 200, 200)),
    Row("GET", "api/events/ticket/<ticket_id>/google-wallet/", (401, 404, 302, 302, 404, 404, 302, 404, 302, 302, 302)),
    Row("POST", "api/events/regenerate/<ticket_id>/", (401, 404, 202, 202, 404, 403, 202, 404, 403, 202, 202)),
    Row("POST", "api/events/regenerate/<ticket_id>/", (401, 404, 403, 403, 404, 403, 202, 404, 403, 202, 202), REISSUE),
    Row("GET", "api/events/<row_id:event_id>/tickets/", (401, 404, 404, 404, 404, 403, 200, 404, 200, 200, 200)),
    Row("GET", "api/events/verify/<scanned:code>", (401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 200)),
    Row("POST", "api/events/verify/", (401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 200), SCAN),
    Row("POST", "api/events/admit/", (401, 403, 403, 403, 403, 200, 200, 200, 403, 200, 200), SCAN),
    # -- Pages --------------------------------------------------------------------------------------------------
    Row("GET", "", (200,) * 11),
    Row("GET", "favicon.ico", (302,) * 11),
    Row("GET", "tickets/", (302,) * 11),
    Row("GET", "tickets/<uuid:ticket_id>/", (LOGIN, 404, 200, 200, 404, 404, 200, 404, 200, 200, 200)),
    Row("GET", "tickets/<uuid:ticket_id>/pdf/", (LOGIN, 404, 302, 302, 404, 404, 302, 404, 302, 302, 302)),
    Row("GET", "tickets/<uuid:ticket_id>/apple-wallet/", (LOGIN, 404, 302, 302, 404, 404, 302, 404, 302, 302, 302)),
    Row("GET", "tickets/<uuid:ticket_id>/google-wallet/", (LOGIN, 404, 302, 302, 404, 404, 302, 404, 302, 302, 302)),
    Row("GET", "events/<row_id:event_id>/<slug:sha256>.jpg", (200,) * 11),
    Row("GET", "events/<row_id:event_id>/<slug:sha256>.png", (200,) * 11),
]


class World(NamedTuple):
    """A user for each role, and two tickets with files: one issued to an account, one to an address."""

    users: dict[str, User]
    of_account: EventTicket
    of_address: EventTicket

    def ticket_for(self, role: str) -> EventTicket:
        return self.of_address if role in ("confirmed", "unconfirmed") else self.of_account


@pytest.fixture(scope="module")
def wallets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return Authority().settings(tmp_path_factory.mktemp("wallets"))


@pytest.fixture
def world(wallets: dict[str, str], settings: Settings) -> World:
    for setting, value in wallets.items():
        setattr(settings, setting, value)  # without wallets, their routes are 404 for all roles
    users = {role: make_user(f"{role}@example.org", confirmed=role != "unconfirmed") for role in ROLES[1:]}
    for role, permission in (("viewer", "view_eventticket"), ("editor", "change_eventticket")):
        users[role].user_permissions.add(Permission.objects.get(codename=permission))
    User.objects.filter(email__in=["viewer@example.org", "editor@example.org"]).update(is_staff=True)
    User.objects.filter(email="root@example.org").update(is_staff=True, is_superuser=True)
    make_organiser("Rivals", manager=users["rival"])
    event = make_event(organiser=make_organiser(manager=users["manager"], door=users["door"]))
    for kind in EventImage.Kind:
        save_event_image(event, kind, make_picture())
    of_account = make_ticket(event=event, holder=users["holder"], holder_email="gift@example.org")
    of_address = make_ticket(event=event, holder=None, holder_email="confirmed@example.org")
    for ticket in (of_account, of_address):
        names = {"qr_code": f"tickets/qr_codes/1/{ticket.pk}", "pdf_ticket": f"tickets/pdf/1/{ticket.pk}"}
        ids = {f"{field}_cloudinary_id": name for field, name in names.items()}
        EventTicket.objects.filter(pk=ticket.pk).update(**names, **ids, published_generation=0, state="ready")
    return World({role: User.objects.get(email=f"{role}@example.org") for role in ROLES[1:]}, of_account, of_address)


def _address(route: str, ticket: EventTicket) -> str:
    kind = EventImage.Kind.LOGO if route.endswith(".png") else EventImage.Kind.COVER
    values = {
        "ticket_id": str(ticket.ticket_id),
        "event_id": str(ticket.event_id),
        "sha256": ticket.event.images.get(kind=kind).sha256,
        "code": quote(code_of(ticket), safe=""),
    }
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], route)


def _outcome(world: World, role: str, row: Row) -> int | str:
    client = Client()
    if role != "nobody":
        client.force_login(world.users[role])
    ticket = world.ticket_for(role)
    if role == "unconfirmed":
        EventTicket.objects.filter(pk=ticket.pk).update(holder_email="unconfirmed@example.org")
    body = {key: code_of(ticket) if value == TICKET_CODE else value for key, value in (row.body or {}).items()}
    more: dict[str, Any] = {"data": body, "content_type": "application/json"} if row.method != "GET" else {}
    answer = getattr(client, row.method.lower())(_address(row.route, ticket), **more)
    if answer.status_code == 302 and answer["Location"].startswith(reverse("account_login")):
        return LOGIN
    return int(answer.status_code)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.route} {row.body or ''}")
def test_every_role_gets_what_the_table_says(world: World, row: Row) -> None:
    outcomes = {}
    for role in ROLES:
        with transaction.atomic():
            outcomes[role] = _outcome(world, role, row)
            transaction.set_rollback(True)  # undo changes before the next role
    assert outcomes == dict(zip(ROLES, row.expected, strict=True))


def test_codes_of_other_teams_are_unknown_to_a_rival(world: World) -> None:
    """The table says that a rival gets a status 200; this shows that the response reveals nothing."""
    client = Client()
    client.force_login(world.users["rival"])
    for ticket in (world.of_account, world.of_address):
        assert client.get(_address("api/events/verify/<code>", ticket)).json()["verdict"] == "unknown"
        answer = client.post("/api/events/admit/", {"code": code_of(ticket)}, content_type="application/json")
        assert answer.json()["verdict"] == "unknown"


def test_django_permissions_count_for_staff_only(world: World) -> None:
    User.objects.filter(email="viewer@example.org").update(is_staff=False)
    client = Client()
    client.force_login(world.users["viewer"])
    assert client.get(_address("api/events/ticket/<ticket_id>/", world.of_account)).status_code == 404
    assert client.get(_address("api/events/verify/<code>", world.of_account)).status_code == 403


# -- Completeness of the table -----------------------------------------------------------------------------------


def _routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route
        else:
            yield from _routes(entry, route)


def test_every_route_has_a_row() -> None:
    assert set(_routes(get_resolver())) == {row.route for row in ROWS} | ROUTES_OF_OTHERS


def test_every_method_of_the_api_has_a_row() -> None:
    documented = {
        (method.upper(), path)
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method in operations
    }
    rows = {(row.method, "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", row.route)) for row in ROWS}
    assert documented <= rows
