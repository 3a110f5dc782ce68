"""Test the page of storage checks: its permissions, a check from request to findings, and the account's usage."""

from __future__ import annotations

import dataclasses
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.backoffice.plot import draw, nice_steps, quantity
from apps.storage import gateway
from apps.storage_checks import runs, tasks, usage
from apps.storage_checks.comparison import Finding
from apps.storage_checks.models import Examination, UsageSample
from apps.storage_checks.problems import MEANING, REMEDY, Problem
from cloudlet.testing import RunningCloudlet
from tests.factories import make_organiser, make_ticket, make_user
from tests.workers import publish
from ticketkit import render_qr_png

pytestmark = pytest.mark.django_db

PAGE = "/admin/storage_checks/examination/"


def staff(*permissions: str) -> User:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def signed_in(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return signed_in(staff("view_examination", "add_examination"))


def body(client: Client, query: str = "") -> str:
    answer = client.get(PAGE + query)
    assert answer.status_code == 200
    return answer.content.decode()


# -- Permissions -----------------------------------------------------------------------------------------------------


def test_viewing_and_starting_a_check_need_permissions() -> None:
    manager = make_user(is_staff=True)
    make_organiser(manager=manager)
    outcomes = {}
    for who, user in {
        "nobody": None,
        "stranger": make_user(),
        "manager": manager,
        "ticket editor": staff("view_eventticket", "change_eventticket"),
        "viewer": staff("view_examination"),
        "starter": staff("view_examination", "add_examination"),
        "root": make_user(is_staff=True, is_superuser=True),
    }.items():
        client = signed_in(user)
        viewed, requested = client.get(PAGE), client.post(f"{PAGE}start/")
        started = Examination.objects.count()
        Examination.objects.all().delete()
        outcomes[who] = (viewed.status_code, requested.status_code, started)
    assert outcomes == {
        "nobody": (302, 302, 0),
        "stranger": (302, 302, 0),
        "manager": (403, 403, 0),
        "ticket editor": (403, 403, 0),
        "viewer": (200, 403, 0),
        "starter": (200, 302, 1),
        "root": (200, 302, 1),
    }


def test_get_request_does_not_start_a_check(operator: Client) -> None:
    assert operator.get(f"{PAGE}start/").status_code == 405
    assert not Examination.objects.exists()


def test_back_office_links_to_the_page_only_with_the_permission() -> None:
    manager = make_user(is_staff=True)
    make_organiser(manager=manager)
    assert PAGE not in signed_in(manager).get("/admin/").content.decode()
    assert PAGE in signed_in(staff("view_examination")).get("/admin/").content.decode()


def test_checks_cannot_be_added_changed_or_deleted_by_form() -> None:
    check = Examination.objects.create(is_open=None)
    client = signed_in(make_user(is_staff=True, is_superuser=True))
    for path in ("add/", f"{check.pk}/change/", f"{check.pk}/delete/"):
        assert client.post(PAGE + path).status_code == 404


# -- From the request to the findings -----------------------------------------------------------------------------


@pytest.mark.integration
def test_check_runs_in_the_background_and_its_findings_are_shown(
    empty: RunningCloudlet, operator: Client, django_capture_on_commit_callbacks: Any
) -> None:
    well, broken = make_ticket(), make_ticket()
    for ticket in (well, broken):
        publish(ticket.pk)
    gateway.destroy(gateway.PDF_TICKET, gateway.PDF_TICKET.public_id(broken.event_id, broken.ticket_id))
    gateway.upload(gateway.QR_CODE, "tickets/qr_codes/it's a logo", render_qr_png("AD1:LOGO"))
    with mock.patch("apps.core.jobs.dispatch.current_app.send_task") as send:
        with django_capture_on_commit_callbacks(execute=True):
            assert operator.post(f"{PAGE}start/").status_code == 302
        assert send.call_args.args[0] == tasks.run_storage_check.name
    check = Examination.objects.get()
    page = body(operator)
    assert "Waiting for a worker" in page
    assert "Check now" not in page

    tasks.run_storage_check(*send.call_args.kwargs["args"])
    check.refresh_from_db()
    assert (check.state, check.is_open, check.listed, check.compared, check.ready) == ("done", None, 4, 2, 2)
    page = body(operator)
    assert "1 problem found" in page
    assert MEANING[Problem.MISSING].capitalize()[1:] in page
    assert "<code>manage.py ticket_doctor --fix</code>" in page
    assert f"ticket_{broken.ticket_id}" in page
    assert "tickets/qr_codes/it&#x27;s a logo" in page
    assert f"{check.quota_left}<small> of {check.quota_allowed}" in page
    assert "Check now" in page


def test_page_does_not_call_storage(operator: Client, network_out_of_place: list[str]) -> None:
    """The network guard of conftest records every connection that a request makes."""
    runs.start()
    UsageSample.objects.create(storage=1)
    body(operator)
    assert network_out_of_place == []


@pytest.mark.integration
def test_checks_of_the_command_are_shown(empty: RunningCloudlet, operator: Client) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    gateway.destroy(gateway.QR_CODE, gateway.QR_CODE.public_id(ticket.event_id, ticket.ticket_id))
    with pytest.raises(CommandError):
        call_command("ticket_doctor", stdout=io.StringIO(), workers=1)
    assert "1 problem found" in body(operator)
    call_command("ticket_doctor", "--fix", stdout=io.StringIO(), workers=1)
    page = body(operator)
    assert "Database and storage agree" in page
    assert "1 repaired" in page
    first, second = Examination.objects.order_by("pk")
    assert "1 problem found" in body(operator, f"?check={first.pk}")
    assert second.repaired == 1


@pytest.mark.parametrize("query", ["?check=999999", "?check=1" + 30 * "0", "?check=x", "?check=²", "?days=7", "?days="])
def test_invalid_query_is_no_server_error(operator: Client, query: str) -> None:
    assert operator.get(PAGE + query).status_code in (200, 404)


@pytest.mark.integration
def test_wrong_credentials_are_a_finding(empty: RunningCloudlet, operator: Client, settings: Any) -> None:
    settings.CLOUDINARY_ACCOUNT = dataclasses.replace(settings.CLOUDINARY_ACCOUNT, api_secret="wrong-secret")
    tasks.run_storage_check(runs.start(make_user()).pk)
    page = body(operator)
    assert "Cloudinary refuses the credentials" in page
    assert "wrong-secret" not in page


@pytest.mark.integration
def test_check_without_quota_is_stopped_and_resumed_by_the_next(empty: RunningCloudlet, operator: Client) -> None:
    limited = gateway.MediaError("listing files on Cloudinary", "tickets/", 420, "Rate Limit Exceeded", retry_after=60)
    with mock.patch.object(gateway, "list_files", side_effect=limited):
        tasks.run_storage_check(runs.start(make_user()).pk)
    assert Examination.objects.get().state == "stopped"
    page = body(operator)
    assert "The check stopped early" in page
    assert "Admin API calls are used up" in page
    tasks.run_storage_check(runs.start(make_user()).pk)
    assert "Database and storage agree" in body(operator)


@pytest.mark.integration
def test_program_error_is_shown(empty: RunningCloudlet, operator: Client) -> None:
    check = runs.start(make_user())
    with (
        mock.patch.object(gateway, "list_files", side_effect=ZeroDivisionError("oh")),
        pytest.raises(ZeroDivisionError),
    ):
        tasks.run_storage_check(check.pk)
    page = body(operator)
    assert "The check failed" in page
    assert "ZeroDivisionError: oh" in page


# -- One at a time -----------------------------------------------------------------------------------------------


def test_second_check_is_refused(operator: Client) -> None:
    runs.start()
    with pytest.raises(runs.AlreadyRunningError):
        runs.start()
    with pytest.raises(CommandError, match="running already"):
        call_command("ticket_doctor")
    assert "running already" in operator.post(f"{PAGE}start/", follow=True).content.decode()
    assert Examination.objects.count() == 1


@pytest.mark.integration
def test_check_without_heartbeat_is_superseded_and_cannot_write(empty: RunningCloudlet, operator: Client) -> None:
    silent = runs.start()
    Examination.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    page = body(operator)
    assert "No progress for a while" in page
    assert "Check now" in page
    following = runs.start(make_user())
    with pytest.raises(runs.SupersededError), runs.recording(silent) as record:
        record.finish([Finding(Problem.MISSING)])
    silent.refresh_from_db()
    assert (silent.state, silent.findings) == ("failed", [])
    following.refresh_from_db()
    assert following.is_open


@pytest.mark.integration
def test_duplicate_task_runs_once(empty: RunningCloudlet) -> None:
    check = runs.start(make_user())
    tasks.run_storage_check(check.pk)
    with mock.patch.object(gateway, "list_files", side_effect=AssertionError("listed twice")):
        tasks.run_storage_check(check.pk)


@pytest.mark.integration
def test_long_listing_continues_in_another_task(
    empty: RunningCloudlet, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(runs, "LISTING_SECONDS", -1.0)
    check = runs.start(make_user())
    task_count = 0
    with mock.patch("apps.core.jobs.dispatch.current_app.send_task") as send:
        while Examination.objects.get().state == "queued":
            task_count += 1
            with django_capture_on_commit_callbacks(execute=True):
                tasks.run_storage_check(check.pk)
            assert send.call_count == task_count or Examination.objects.get().state == "done"
    assert Examination.objects.get().state == "done"
    assert task_count > 1


def test_old_checks_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT_CHECKS", 3)
    for _ in range(6):
        runs.start()
        Examination.objects.update(is_open=None)
    assert Examination.objects.count() == 3


def test_every_problem_has_a_meaning_and_a_remedy() -> None:
    assert set(MEANING) == set(REMEDY) == set(Problem)


# -- Usage ---------------------------------------------------------------------------------------

USAGE_RESPONSE = {  # as the Admin API's documentation shows it, shortened
    "plan": "Plus",
    "transformations": {"usage": 3976, "credits_usage": 3.98},
    "bandwidth": {"usage": 30352195, "credits_usage": 0.03},
    "storage": {"usage": 3019898980, "credits_usage": 2.81},
    "objects": {"usage": 31212},
    "credits": {"usage": 6.82, "limit": 25.0, "used_percent": 27.28},
    "requests": 2000,
}


@pytest.mark.integration
def test_usage_is_sampled_with_one_call(empty: RunningCloudlet) -> None:
    publish(make_ticket().pk)
    with mock.patch.object(gateway, "_call", wraps=gateway._call) as call:
        tasks.sample_usage()
        tasks.sample_usage()
    assert call.call_count == 1, "the second task made another call"
    sample = UsageSample.objects.get()
    assert (sample.plan, sample.objects_stored) == ("cloudlet", 2)
    assert sample.storage is not None
    assert sample.storage > 1000
    assert sample.credits is None


def test_usage_response_is_read() -> None:
    assert usage.read(USAGE_RESPONSE) == {
        "plan": "Plus",
        "storage": 3019898980,
        "bandwidth": 30352195,
        "transformations": 3976,
        "objects_stored": 31212,
        "credits": 6.82,
        "credits_limit": 25.0,
    }


@pytest.mark.parametrize("storage", [None, 5, {}, *({"usage": value} for value in ("many", -1, True, None, 10**30))])
def test_missing_or_invalid_usage_is_none(storage: Any) -> None:
    sample = usage.read({"storage": storage})
    UsageSample.objects.create(**sample)
    assert sample["storage"] is None


@pytest.mark.integration
def test_samples_are_thinned_out_and_deleted(empty: RunningCloudlet) -> None:
    now = timezone.now().replace(hour=12)
    for hours in (400 * 24, 20 * 24, 20 * 24 + 1, 20 * 24 + 2, 3, 2, 1):
        UsageSample.objects.create(taken_at=now - timedelta(hours=hours), storage=hours)
    usage.sample(now)
    kept = list(UsageSample.objects.order_by("-taken_at").values_list("storage", flat=True))[1:]
    assert kept == [1, 2, 3, 20 * 24]


def test_plots_have_descriptions_and_a_table(operator: Client) -> None:
    now = timezone.now()
    for days in range(10, -1, -1):
        UsageSample.objects.create(
            taken_at=now - timedelta(days=days), storage=2_000_000_000 - days * 10**8, bandwidth=0, credits=20,
            credits_limit=25,
        )  # fmt: skip
    page = body(operator)
    pictures = [_picture(part) for part in page.split("<svg viewBox")[1:]]
    assert [picture.findtext("title") for picture in pictures] == ["Storage", "Bandwidth", "Credits"]
    for picture in pictures:
        assert picture.get("role") == "img"
        ids = {element.get("id") for element in picture}
        assert set((picture.get("aria-labelledby") or "").split()) <= ids
    assert "1 GB at first, 2 GB at last, 2 GB at most." in (pictures[0].findtext("desc") or "")
    assert "plan: 25" in page
    assert "Not reported for the account's plan: Transformations" in page
    assert page.count('<th scope="row">') == 11
    assert "<td>1.9 GB</td>" in page


def _picture(text: str) -> ElementTree.Element:
    return ElementTree.fromstring("<svg viewBox" + text[: text.index("</svg>") + 6])  # noqa: S314 # our own


def test_metrics_show_the_last_check_and_the_last_sample(settings: Any, client: Client) -> None:
    settings.METRICS_TOKEN = "only-for-monitors"
    UsageSample.objects.create(storage=12345, credits_limit=25)
    with runs.recording(runs.start()) as record:
        record.finish([Finding(Problem.MISSING)] * 3)
    page = client.get("/metrics", headers={"Authorization": "Bearer only-for-monitors"}).content.decode()
    for line in (
        'admit_storage_usage{measure="storage_bytes"} 12345.0',
        "admit_storage_credits_limit 25.0",
        'admit_findings{problem="missing"} 3.0',
        'admit_findings{problem="orphaned"} 0.0',
        "admit_last_storage_check_seconds 1",
    ):
        assert line in page
    assert "bandwidth_bytes" not in page


# -- Plots -------------------------------------------------------------------------------------------------

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("highest", "steps"),
    [
        (0, [0, 1]),
        (1, [0, 0.5, 1]),
        (3, [0, 1, 2, 3]),
        (9, [0, 5, 10]),
        (25, [0, 10, 20, 30]),
        (0.04, None),
        (1e13, None),
    ],
)
def test_axis_steps_are_round_and_reach_the_highest(highest: float, steps: list[float] | None) -> None:
    found = nice_steps(highest)
    if steps is not None:
        assert found == pytest.approx(steps)
    assert found[0] == 0
    assert found[-1] >= highest
    assert 2 <= len(found) <= 6


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0, "", "0"), (999, "bytes", "999 B"), (1_234_567, "bytes", "1.23 MB"), (12_345, "", "12.3 k"), (1.5, "", "1.5"),
     (999_999, "bytes", "1 MB"), (5e14, "bytes", "500 TB")],
)  # fmt: skip
def test_quantities_are_short(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words


def test_one_point_is_drawn_and_none_is_not() -> None:
    assert draw("x", "X", "", [], "") is None
    plot = draw("x", "X", "", [(NOON, 0.0)], "")
    assert plot is not None
    assert plot.change == ""
    assert "nan" not in f"{plot.line}{plot.area}"


def test_line_stays_inside_the_plot() -> None:
    points = [(NOON + timedelta(days=day), float(day**3)) for day in range(31)]
    plot = draw("x", "X", "", points, "bytes", limit=30_000.0)
    assert plot is not None
    corners = [tuple(map(float, corner.split(","))) for corner in plot.line.split()]
    assert all(58 <= x <= 390 and 12 <= y <= 154 for x, y in corners)
    assert [x for x, _ in corners] == sorted(x for x, _ in corners)
    assert plot.limit is not None
