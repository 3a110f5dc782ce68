"""Test the permissions of third-party routes: the back office of Django and unfold, and allauth's pages and API.

`test_permissions.py` has the table of our own routes, and a test that every route is in one of the tables.
"""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.events.models import EventTicket
from apps.publishing.models import StoredFileDeletion
from apps.webhooks.models import WebhookMessage
from tests.factories import make_endpoint, make_event, make_organiser, make_ticket, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.integration]

LOGIN = "login"  # a redirect to a sign-in page
INDEX = "index"  # a redirect to the first page of the back office, Django's response for a missing object
REFUSALS = (LOGIN, INDEX, 401, 403, 404, 405)
HOLDER = "Zipporah Quill"

ROLES = (
    "nobody",  # not signed in
    "stranger",  # signed in, and nothing else
    "door",  # door staff of the ticket's team, and not Django staff
    "clerk",  # Django staff without any permission
    "rival",  # Django staff, manager of another team
    "manager",  # Django staff, manager of the ticket's team
    "viewer",  # Django staff with the permission events.view_eventticket
    "editor",  # Django staff with the permission events.change_eventticket
    "root",  # superuser
)
SEE_THE_TICKET = {"manager", "viewer", "editor", "root"}


def staff(*of_staff: int | str) -> tuple[int | str, ...]:
    """Return what each role gets on a page that redirects all but Django staff to the sign-in page."""
    return (LOGIN,) * 3 + of_staff


#                         clerk rival manager viewer editor root
OPEN = staff(*[200] * 6)
ELSEWHERE = staff(*[302] * 6)  # redirects to the object's form, which checks permissions; also for a missing object
ROOT = staff(*[403] * 5, 200)
NEVER = staff(*[403] * 6)
ONLY_POST = staff(*[405] * 6)
OF_TEAMS = staff(403, 200, 200, 403, 403, 200)
OF_TEAM = staff(403, INDEX, 200, 403, 403, 200)
ACTION = staff(404, 404, 200, 404, 404, 200)
HISTORY = staff(INDEX, INDEX, 200, INDEX, INDEX, 200)


def model(
    name: str, listing: Any, add: Any, change: Any, delete: Any, history: Any
) -> dict[str, tuple[int | str, ...]]:
    routes = {"": listing, "add/": add, "<path:object_id>/": ELSEWHERE}
    routes |= {f"<path:object_id>/{n}/": e for n, e in (("change", change), ("delete", delete), ("history", history))}
    return {f"admin/{name}/{route}": expected for route, expected in routes.items()}


# What each role gets for a GET, in the order of ROLES.
BACK_OFFICE: dict[str, tuple[int | str, ...]] = {
    "admin/": OPEN,
    "admin/search/": OPEN,
    "admin/login/": (LOGIN, 403, 403, *[INDEX] * 6),
    "admin/logout/": (*[INDEX] * 3, *[405] * 6),
    "admin/password_change/": OPEN,
    "admin/password_change/done/": OPEN,
    "admin/autocomplete/": NEVER,  # no form uses it
    "admin/jsi18n/": OPEN,
    **model("auth/group", ROOT, ROOT, ROOT, ROOT, ROOT),
    **model("accounts/user", ROOT, ROOT, ROOT, ROOT, ROOT),
    "admin/accounts/user/<id>/password/": ROOT,
    **model("accounts/organiser", OF_TEAMS, ROOT, OF_TEAM, ROOT, HISTORY),
    **model("publishing/storedfiledeletion", ROOT, NEVER, ROOT, NEVER, ROOT),
    **model("events/event", OF_TEAMS, OF_TEAMS, OF_TEAM, OF_TEAM, HISTORY),
    "admin/events/event/layouts/": OF_TEAMS,
    "admin/events/event/<int:event_id>/preview.<str:extension>": ACTION,
    "admin/events/event/<int:event_id>/preview/": ONLY_POST,
    "admin/events/event/<path:object_id>/issue/": ACTION,
    "admin/storage_checks/examination/": ROOT,
    "admin/backlog/": staff(403, 403, 403, 200, 200, 200),
    # Former URLs of these pages. The redirect discloses nothing, and its target checks permissions.
    "admin/^events/storedfiledeletion/(?P<rest>.*)$": (302,) * len(ROLES),
    "admin/^events/examination/(?P<rest>.*)$": (302,) * len(ROLES),
    "admin/storage_checks/examination/start/": ONLY_POST,
    **model(
        "events/eventticket",
        listing=staff(403, 200, 200, 200, 200, 200),
        add=OF_TEAMS,
        change=staff(403, INDEX, 200, 200, 200, 200),
        delete=OF_TEAM,
        history=staff(INDEX, INDEX, 200, 200, 200, 200),
    ),
    "admin/events/eventticket/<path:object_id>/rerender/": staff(404, 404, 200, 404, 200, 200),
    "admin/events/eventticket/<path:object_id>/reissue/": staff(404, 404, 200, 404, 200, 200),
    **model("webhooks/webhookendpoint", OF_TEAMS, OF_TEAMS, OF_TEAM, OF_TEAM, HISTORY),
    "admin/webhooks/webhookendpoint/<path:object_id>/test/": ACTION,
    "admin/webhooks/webhookendpoint/<path:object_id>/secret/": ACTION,
    **model("webhooks/webhookmessage", OF_TEAMS, NEVER, OF_TEAM, NEVER, HISTORY),
    "admin/^(?P<app_label>auth|accounts|publishing|events|storage_checks|webhooks)/$": staff(404, *[200] * 5),
    "admin/(?P<url>.*)$": staff(*[404] * 6),
}
POSTED: dict[str, tuple[int | str, ...]] = {  # what a POST gets, if it differs from a GET
    "admin/login/": (LOGIN, 403, 403, *[200] * 6),
    "admin/logout/": (INDEX, INDEX, INDEX, *[302] * 6),
    "admin/events/event/<int:event_id>/preview/": ACTION,
    "admin/storage_checks/examination/start/": staff(*[403] * 5, 302),
}

# The response of allauth to a GET, signed out and signed in, and to an empty POST, signed out and signed in.
SIGNING_IN: dict[str, tuple[int | str, int | str, int | str, int | str]] = {
    "accounts/login/": (200, 302, 200, 302),
    "accounts/logout/": (302, 200, 302, 302),
    "accounts/inactive/": (200, 200, 405, 405),
    "accounts/signup/": (200, 302, 200, 302),
    "accounts/reauthenticate/": (LOGIN, 200, LOGIN, 200),
    "accounts/email/": (LOGIN, 200, LOGIN, 302),
    "accounts/confirm-email/": (LOGIN, 302, LOGIN, 302),
    "accounts/password/change/": (LOGIN, 200, LOGIN, 200),
    "accounts/password/set/": (LOGIN, 302, LOGIN, 302),
    "accounts/password/reset/": (200, 200, 200, 200),
    "accounts/login/code/confirm/": (LOGIN, 302, LOGIN, 302),
    "accounts/password/reset/key/done/": (200, 200, 405, 405),
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": (200, 200, 200, 200),
    "accounts/password/reset/done/": (200, 200, 405, 405),
    "_allauth/openapi.yaml": (200, 200, 405, 405),
    "_allauth/openapi.json": (200, 200, 405, 405),
    "_allauth/app/v1/tokens/refresh": (405, 405, 400, 400),
}
#                               for a browser with a cookie; for an app without a token
SIGNING_IN_BY_JSON: dict[str, tuple[tuple[int, int, int, int], tuple[int, int]]] = {
    "config": ((200, 200, 400, 400), (200, 400)),
    "auth/session": ((401, 200, 400, 400), (401, 400)),
    "auth/reauthenticate": ((401, 405, 401, 400), (401, 401)),
    "auth/code/confirm": ((409, 409, 409, 409), (409, 409)),
    "auth/password/request": ((405, 405, 400, 400), (405, 400)),
    "auth/password/reset": ((400, 400, 400, 400), (400, 400)),
    "auth/login": ((405, 405, 400, 400), (405, 400)),
    "auth/signup": ((405, 405, 400, 400), (405, 400)),
    "auth/email/verify": ((409, 409, 409, 409), (409, 409)),
    "auth/email/verify/resend": ((405, 405, 409, 409), (405, 409)),
    "account/password/change": ((401, 405, 401, 400), (401, 401)),
    "account/email": ((401, 200, 409, 400), (401, 409)),
    # Sign-in by phone is not supported.
    "auth/phone/verify": ((404, 404, 404, 404), (404, 404)),
    "auth/phone/verify/resend": ((404, 404, 404, 404), (404, 404)),
    "account/phone": ((404, 404, 404, 404), (404, 404)),
}
for _route, (_browser, (_get, _post)) in SIGNING_IN_BY_JSON.items():
    SIGNING_IN[f"_allauth/browser/v1/{_route}"] = _browser
    SIGNING_IN[f"_allauth/app/v1/{_route}"] = (_get, _get, _post, _post)
SIGNING_IN["_allauth/(?:app|browser)/v1/(?:account|auth)/phone"] = (404, 404, 404, 404)
ROUTES = {*BACK_OFFICE, *SIGNING_IN}


class World(NamedTuple):
    users: dict[str, User]
    ticket: EventTicket
    objects: dict[str, int]  # "app/model", as in a route -> primary key of an object of the manager's team


@pytest.fixture
def world() -> World:
    users = {role: make_user(f"{role}@example.org") for role in ROLES[1:]}
    make_organiser("Rivals", manager=users["rival"])
    organiser = make_organiser(manager=users["manager"], door=users["door"])
    event = make_event(organiser=organiser)
    make_event(organiser=organiser, title="Another night")
    ticket = make_ticket(event=event, holder_name=HOLDER, holder_email="zipporah@example.org")
    endpoint = make_endpoint(organiser)
    message = WebhookMessage.objects.create(endpoint=endpoint, event_type="ticket.ready", ticket_id=ticket.ticket_id)
    deletion = StoredFileDeletion.objects.create(kind=StoredFileDeletion.Kind.PDF_TICKET, name="tickets/pdf/1/old")
    rows = (ticket, event, organiser, endpoint, message, deletion, users["stranger"], Group.objects.create(name="G"))
    for role, permission in (("viewer", "view_eventticket"), ("editor", "change_eventticket")):
        users[role].user_permissions.add(Permission.objects.get(codename=permission))
    User.objects.exclude(email__in=["stranger@example.org", "door@example.org"]).update(is_staff=True)
    User.objects.filter(email="root@example.org").update(is_superuser=True)
    objects = {f"{row._meta.app_label}/{row._meta.model_name}": row.pk for row in rows}
    return World({role: User.objects.get(pk=user.pk) for role, user in users.items()}, ticket, objects)


def url_of(world: World, route: str) -> str:
    model = re.match(r"admin/(\w+/\w+)/", route)
    values = {
        "object_id": world.objects.get(model[1], "") if model else "",
        "id": world.objects["accounts/user"],
        "event_id": world.objects["events/event"],
        "extension": "png",
        "app_label": "events",
        "url": "nothing/",
        "rest": "",
        "uidb36": "1",
        "key": "set-password",
    }
    path = route.replace("(?:app|browser)", "app").replace("(?:account|auth)", "account")
    path = re.sub(r"\(\?P<(\w+)>[^()]*(?:\(\?:[^()]*\))?[^()]*\)", lambda found: f"<{found[1]}>", path)
    path = path.replace("^", "").replace("$", "")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), path)


def client_of(world: World, role: str) -> Client:
    client = Client()
    if role != "nobody":
        client.force_login(world.users[role])
    return client


class Visitor:
    """A client of one role that requests one route after the other, each time with its first cookies."""

    def __init__(self, world: World, role: str) -> None:
        self._world, self._role = world, role
        self._client = client_of(world, role)
        self._cookies = {name: cookie.value for name, cookie in self._client.cookies.items()}

    def outcome(self, method: str, route: str) -> int | str:
        """Return the status, LOGIN or INDEX. Assert that roles without permission learn nothing about the ticket."""
        self._client.cookies = SimpleCookie(self._cookies)
        return _outcome(self._world, self._role, self._client, method, route)


def _outcome(world: World, role: str, client: Client, method: str, route: str) -> int | str:
    with transaction.atomic():
        sent = {"post": "yes"} if method == "post" else None
        answer = getattr(client, method)(url_of(world, route), sent)
        transaction.set_rollback(True)  # undo the changes of the request
    content = b"".join(answer) if answer.streaming else answer.content
    content += answer.get("Location", "").encode()
    if role not in SEE_THE_TICKET:
        assert str(world.ticket.ticket_id).encode() not in content, (role, route)
        assert HOLDER.encode() not in content, (role, route)
    if answer.status_code == 302 and answer["Location"].startswith((reverse("account_login"), reverse("admin:login"))):
        return LOGIN
    if answer.status_code == 302 and answer["Location"] == reverse("admin:index"):
        return INDEX
    return int(answer.status_code)


def column(table: dict[str, tuple[int | str, ...]], role: str) -> dict[str, int | str]:
    return {route: expected[ROLES.index(role)] for route, expected in table.items()}


@pytest.mark.parametrize("role", ROLES)
def test_back_office_permissions_match_the_table(world: World, role: str) -> None:
    expected, posted = column(BACK_OFFICE, role), column(POSTED, role)
    visitor = Visitor(world, role)
    assert {route: visitor.outcome("get", route) for route in expected} == expected
    assert {route: visitor.outcome("post", route) for route in posted} == posted

    refused = [route for route in expected if route not in posted and expected[route] in REFUSALS]
    assert [route for route in refused if visitor.outcome("post", route) not in REFUSALS] == []


@pytest.mark.parametrize(
    "role",
    [pytest.param(role, marks=[] if role in {"nobody", "stranger", "root"} else pytest.mark.soak) for role in ROLES],
)
def test_sign_in_routes_match_the_table_for_every_role(world: World, role: str) -> None:
    first = 0 if role == "nobody" else 1
    expected = {route: row[first::2] for route, row in SIGNING_IN.items()}
    visitor = Visitor(world, role)
    assert {route: tuple(visitor.outcome(m, route) for m in ("get", "post")) for route in expected} == expected


def test_content_type_redirect_does_not_disclose_ticket_urls(world: World) -> None:
    """Django's "view on site" would redirect all Django staff to the URL of any object."""
    kind = ContentType.objects.get_for_model(EventTicket)
    for role in ROLES:
        answer = client_of(world, role).get(f"/admin/r/{kind.pk}/{world.ticket.pk}/")
        assert str(world.ticket.ticket_id) not in answer.get("Location", ""), role


def test_back_office_links_to_the_page_of_a_visible_ticket(world: World) -> None:
    page = client_of(world, "manager").get(reverse("admin:events_eventticket_change", args=[world.ticket.pk]))
    assert f'href="{world.ticket.get_absolute_url()}"' in page.content.decode()
