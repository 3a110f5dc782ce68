"""The page “Background work”: permissions, numbers, and reasons of failures."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import escape
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.backoffice.backlog import DESCRIPTIONS, duration, presentable_reason
from apps.core.jobs import dispatch, kinds
from apps.events.models import EventTicket
from apps.mail.models import OutgoingMail
from apps.publishing.models import StoredFileDeletion
from apps.webhooks.models import WebhookMessage
from tests.factories import make_endpoint, make_organiser, make_ticket, make_user

pytestmark = pytest.mark.django_db

PAGE = "/admin/backlog/"
HOSTILE = '<script>alert("1")</script>'


@pytest.fixture(autouse=True)
def _queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "tasks_waiting", {"bulk": 37, "interactive": 0, "webhooks": 0}.get)


def signed_in(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def staff(*permissions: str, **fields: Any) -> Client:
    user = make_user(is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return signed_in(user)


@pytest.fixture
def operator() -> Client:
    return staff(is_superuser=True)


def body(client: Client) -> str:
    response = client.get(PAGE)
    assert response.status_code == 200
    return response.content.decode()


def entry(client: Client, name: str) -> str:
    """Return the part of the page about a kind of job, as text."""
    (article,) = re.findall(rf'<article [^>]*id="{name}".*?</article>', body(client), re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", article).split())


def fill(number: int) -> None:
    """Create `number` failed jobs of several kinds with distinct reasons, and as many given-up ones."""
    endpoint = make_endpoint(make_organiser())
    for each in range(number):
        failed, given_up = make_ticket(), make_ticket()
        rows = EventTicket.objects.filter(pk__in=[failed.pk, given_up.pk])
        rows.update(state="failed", reason=f"Because of ticket x{each}y")
        rows.filter(pk=given_up.pk).update(next_attempt_at=None)
        StoredFileDeletion.objects.create(kind="qr_code", name=f"{each}", reason=f"Because of file x{each}y")
        WebhookMessage.objects.create(
            endpoint=endpoint, event_type="ticket.ready", state="failed", reason=f"HTTP {each}"
        )
        OutgoingMail.objects.create(sender="a", recipients=["b"], message=b"c", reason=f"Because of mail x{each}y")


# -- Permissions -------------------------------------------------------------------------------------------------


def test_only_staff_who_may_view_the_tickets_of_all_teams_see_the_page() -> None:
    manager = make_user(is_staff=True)
    make_organiser(manager=manager)
    clients = {
        "signed out": signed_in(None),
        "no staff": signed_in(make_user()),
        "clerk": staff(),
        "manager of a team": signed_in(manager),
        "editor of events": staff("view_event", "change_event", "view_storedfiledeletion"),
        "viewer of tickets": staff("view_eventticket"),
        "editor of tickets": staff("change_eventticket"),
        "root": staff(is_superuser=True),
    }
    found = {who: client.get(PAGE).status_code for who, client in clients.items()}
    assert found == {
        "signed out": 302, "no staff": 302, "clerk": 403, "manager of a team": 403, "editor of events": 403,
        "viewer of tickets": 200, "editor of tickets": 200, "root": 200,
    }  # fmt: skip
    for who, status in found.items():
        if status != 302:
            assert (PAGE in clients[who].get("/admin/").content.decode()) == (status == 200), who


def test_lists_are_linked_only_with_permission(operator: Client) -> None:
    fill(1)
    lists = {
        "/admin/events/eventticket/": "?state__exact=failed&next_attempt_at__isnull=1",
        "/admin/publishing/storedfiledeletion/": "",
        "/admin/webhooks/webhookmessage/": "?state__exact=failed",
    }
    page, for_viewer = body(operator), body(staff("view_eventticket"))
    for address, query in lists.items():
        assert f'href="{escape(address + query)}"' in page
        assert (address in for_viewer) == address.startswith("/admin/events/")
        shown = operator.get(address + query)
        assert shown.status_code == 200, address
        assert shown.context_data["cl"].result_count == 1, address  # type: ignore[attr-defined]


def test_the_page_replaces_the_files_to_delete_in_the_menu(operator: Client) -> None:
    of_files = "/admin/publishing/storedfiledeletion/"
    assert of_files not in operator.get("/admin/").content.decode()
    assert of_files in staff("view_storedfiledeletion", "view_event").get("/admin/").content.decode()


# -- Content -----------------------------------------------------------------------------------------------------


def test_every_kind_of_job_has_a_description() -> None:
    assert {kind.name for kind in kinds.registered()} == set(DESCRIPTIONS)


def test_without_jobs_the_page_says_so(operator: Client) -> None:
    page = body(operator)
    assert page.count("No jobs are waiting") == 1 + len(DESCRIPTIONS)
    assert "What to do" not in page


def test_each_kind_has_its_numbers_reasons_and_what_to_do(operator: Client) -> None:
    now = timezone.now()
    waiting, leased, retried, given_up, other = (make_ticket() for _ in range(5))
    rows = EventTicket.objects.filter
    rows(pk__in=[waiting.pk, leased.pk]).update(next_attempt_at=now + timedelta(hours=1))
    rows(pk=waiting.pk).update(requested_at=now - timedelta(hours=3))
    rows(pk=leased.pk).update(lease_until=now + timedelta(minutes=1))
    rows(pk=retried.pk).update(
        state="failed", reason="Timeout at 192.0.2.1:443", next_attempt_at=now - timedelta(hours=2)
    )
    rows(pk=given_up.pk).update(state="failed", reason="Timeout at 192.0.2.2:443", next_attempt_at=None)
    rows(pk=other.pk).update(state="failed", reason="The name can't be printed", next_attempt_at=None)
    text = entry(operator, "ticket")
    assert "Waiting 2 Running 1 Retrying 1 Given up 2 Oldest 3 h Overdue 2 h" in text
    assert "2 Timeout at [address] 1 The name can&#x27;t be printed What to do" in text
    assert "No worker takes this work." in text
    assert "manage.py publish_tickets --given-up" in text
    assert entry(operator, "mail").endswith("No jobs are waiting.")


def test_only_the_most_frequent_reasons_are_shown(operator: Client) -> None:
    for number in range(1, 5):
        for _ in range(number):
            StoredFileDeletion.objects.create(kind="qr_code", name="x", reason=f"Reason {number}")
    text = entry(operator, "file_deletion")
    assert "4 Reason 4 3 Reason 3 2 Reason 2 What to do" in text
    assert "Reason 1" not in text


def test_the_number_of_queries_does_not_grow_with_the_jobs(operator: Client) -> None:
    fill(1)
    body(operator)
    with CaptureQueriesContext(connection) as few:
        body(operator)
    fill(12)
    with CaptureQueriesContext(connection) as many:
        body(operator)
    assert len(few) == len(many)


@pytest.mark.parametrize(
    ("lengths", "expected", "unexpected"),
    [
        ({"bulk": 37, "interactive": 0, "webhooks": 0}.get, "The broker answers", "The broker does not answer"),
        (lambda queue: None, "The broker does not answer", "The broker answers"),
    ],
)
def test_the_page_shows_whether_the_broker_answers(
    operator: Client,
    monkeypatch: pytest.MonkeyPatch,
    lengths: Callable[[str], int | None],
    expected: str,
    unexpected: str,
) -> None:
    monkeypatch.setattr(dispatch, "tasks_waiting", lengths)
    page = body(operator)
    assert expected in page
    assert unexpected not in page
    assert ("37" in re.findall(r"<dd>(.*?)</dd>", page)) == (expected == "The broker answers")


def test_a_broker_that_does_not_answer_is_queried_once() -> None:
    with mock.patch.object(dispatch, "tasks_waiting", return_value=None) as query:
        assert kinds.queue_lengths() == {"bulk": None, "interactive": None, "webhooks": None}
    assert query.call_count == 1


@pytest.mark.parametrize("late", ["ticket", "mail"])
def test_the_page_shows_whether_workers_take_the_work(operator: Client, late: str) -> None:
    make_ticket()
    OutgoingMail.objects.create(sender="a", recipients=["b"], message=b"c")
    assert "workers take the work" in body(operator)
    model = {"ticket": EventTicket, "mail": OutgoingMail}[late]
    model.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=6))  # type: ignore[attr-defined]
    page = body(operator)
    assert "Workers do not take all jobs" in page
    assert f"Overdue: {DESCRIPTIONS[late].title.lower()}." in page
    assert page.count("No worker takes this work.") == 1
    assert "<code>interactive</code>" in re.split("No worker takes this work.", page)[1].split("</p>")[0]


# -- Reasons -----------------------------------------------------------------------------------------------------


def test_hostile_reasons_are_escaped(operator: Client) -> None:
    ticket = make_ticket()
    EventTicket.objects.filter(pk=ticket.pk).update(state="failed", reason=f"{HOSTILE} \x1b[31m\u202eevil")
    page = body(operator)
    assert HOSTILE not in page
    assert escape(HOSTILE) in page
    assert "\x1b" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("550 5.1.1 <anna.maria@example.org>: no such user", "550 5.1.1 <[address]>: no such user"),
        ("No answer from https://hooks.example.org/in?key=1 in 10 s", "No answer from [address] in 10 s"),
        ("connect to mail.example.org:587 failed", "connect to [address] failed"),
        ("connect to [2001:db8::1]:587 failed", "connect to [address] failed"),
        ("connect to 192.0.2.44 failed", "connect to [address] failed"),
        ("ssl.SSLError: handshake", "ssl.SSLError: handshake"),
        ("HTTP 503", "HTTP 503"),
        ("No file 8f14e45f-ceea-467a-9ab1-0d1f2c3b4a59, 123456", "No file …, …"),
        ("Bearer abcdefghijkl was refused", "Bearer [redacted] was refused"),
    ],
)
def test_a_reason_is_shown_without_addresses_numbers_and_secrets(reason: str, shown: str) -> None:
    assert presentable_reason(reason) == shown


def test_a_long_reason_is_cut() -> None:
    assert len(presentable_reason("a b " * 125)) == 160


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (200000, "2 days")],
)
def test_a_duration_has_one_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
