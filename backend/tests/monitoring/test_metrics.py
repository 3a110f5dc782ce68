"""Test the metrics that processes count, as a scrape of the machine shows them after real work."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from apps.checkin import admission
from apps.checkin import metrics as checkin_metrics
from apps.core.telemetry import process_files
from apps.events import issuing
from apps.events.codes import code_of
from apps.publishing import deletions, pipeline, requests
from apps.publishing import metrics as publishing_metrics
from apps.storage import gateway
from apps.storage import metrics as storage_metrics
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_organiser, make_ticket, make_user
from tests.workers import BACKEND, environment, faults, publish

pytestmark = [pytest.mark.django_db, pytest.mark.integration]

TOKEN = {"Authorization": "Bearer only-for-monitors"}


@pytest.fixture(autouse=True)
def _token(settings: Any, request: pytest.FixtureRequest) -> None:
    if request.function is not test_serve_metrics_needs_a_token:
        settings.METRICS_TOKEN = "only-for-monitors"


def read(name: str, **labels: str) -> float:
    """Return the value of a series in a scrape of this machine, 0 if it is missing."""
    registry = CollectorRegistry()
    process_files.register(registry)
    return registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def rise() -> Callable[..., Callable[[], float]]:
    """Return a function: `rise(name, **labels)()` is the increase of a series between the two calls."""

    def since_now(name: str, **labels: str) -> Callable[[], float]:
        before = read(name, **labels)
        return lambda: read(name, **labels) - before

    return since_now


Rise = Callable[..., Callable[[], float]]


def test_published_ticket_is_counted_at_every_step(cloudlet: RunningCloudlet, rise: Rise) -> None:
    uploads = [
        rise("admit_storage_calls_total", operation="upload", kind=kind, outcome="ok")
        for kind in storage_metrics.FILE_KINDS
    ]
    seconds = rise("admit_storage_call_seconds_count", operation="upload", kind="pdf_ticket")
    renders, ready = rise("admit_render_seconds_count", outcome="ok"), rise("admit_attempts_total", outcome="ready")
    publish(make_ticket().pk)

    assert [upload() for upload in uploads] == [1, 1]
    assert (seconds(), ready()) == (1, 1)
    assert renders() >= 1
    assert read("admit_storage_calls_in_flight") == 0
    assert read("admit_storage_call_limit") == gateway.limiter.limit


@pytest.mark.parametrize("lane", publishing_metrics.QUEUES)
def test_time_from_request_to_files_is_measured_by_queue(cloudlet: RunningCloudlet, rise: Rise, lane: str) -> None:
    number, total = rise("admit_publish_seconds_count", lane=lane), rise("admit_publish_seconds_sum", lane=lane)
    ticket = make_ticket(in_bulk=lane == "bulk", requested_at=timezone.now() - timedelta(minutes=10))
    pipeline.publish_many([ticket.pk])

    assert number() == 1
    assert 600 <= total() < 700


def test_time_is_measured_from_the_last_request(cloudlet: RunningCloudlet, rise: Rise) -> None:
    ticket = make_ticket(requested_at=timezone.now() - timedelta(days=9))
    publish(ticket.pk)
    requests.rerender(ticket)
    total = rise("admit_publish_seconds_sum", lane="interactive")
    publish(ticket.pk)

    assert total() < 600


@pytest.mark.parametrize(
    ("fault", "outcome", "tries"),
    [
        ({"kind": "error", "status": 503, "message": "Service unavailable"}, "server_error", 3),
        ({"kind": "error", "status": 400, "message": "Invalid image file"}, "refused", 1),
        ({"kind": "error", "status": 420, "message": "Rate Limit Exceeded"}, "rate_limited", 1),
    ],
)
def test_failed_upload_is_counted_by_outcome(
    cloudlet: RunningCloudlet, rise: Rise, fault: dict[str, object], outcome: str, tries: int
) -> None:
    calls = rise("admit_storage_calls_total", operation="upload", kind="qr_code", outcome=outcome)
    retried = rise("admit_attempts_total", outcome="retried")
    with faults(cloudlet, [{"call": "upload", **fault}]):
        publish(make_ticket().pk)

    assert (calls(), retried()) == (tries, 1)


def test_refused_connection_is_counted_as_unreachable(settings: Any, rise: Rise) -> None:
    settings.CLOUDINARY_ACCOUNT = dataclasses.replace(settings.CLOUDINARY_ACCOUNT, upload_prefix="http://localhost:1")
    calls = rise("admit_storage_calls_total", operation="upload", kind="qr_code", outcome="unreachable")
    publish(make_ticket().pk)

    assert calls() == 3


def test_slow_response_is_counted_as_timeout(
    cloudlet: RunningCloudlet, rise: Rise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "TIMEOUT", urllib3.Timeout(connect=5, read=0.2))
    calls = rise("admit_storage_calls_total", operation="upload", kind="qr_code", outcome="timeout")
    with faults(cloudlet, [{"call": "upload", "kind": "latency", "ms": 3000}]):
        publish(make_ticket().pk)

    assert calls() == 3


def test_calls_held_back_by_a_rate_limit_are_counted(cloudlet: RunningCloudlet, rise: Rise) -> None:
    with faults(cloudlet, [{"call": "upload", "kind": "error", "status": 420, "message": "Rate Limit Exceeded"}]):
        publish(make_ticket().pk)
    gateway.limiter._paused_until = gateway.limiter._clock() + 1000
    held = rise("admit_storage_calls_total", operation="upload", kind="qr_code", outcome="held_back")
    with pytest.raises(gateway.MediaError):
        gateway.upload(gateway.QR_CODE, "tickets/qr_codes/1/ticket", b"bytes")

    assert held() == 1
    assert read("admit_storage_held_until_seconds") > 0


def test_last_failure_is_counted_as_given_up(settings: Any, cloudlet: RunningCloudlet, rise: Rise) -> None:
    settings.TICKET_MAX_ATTEMPTS = 1
    given_up = rise("admit_attempts_total", outcome="given_up")
    with faults(cloudlet, [{"call": "upload", "kind": "error", "status": 400, "message": "Invalid image file"}]):
        publish(make_ticket().pk)

    assert given_up() == 1


def test_deletions_are_counted(cloudlet: RunningCloudlet, rise: Rise) -> None:
    removed, failed = (rise("admit_deletions_total", outcome=outcome) for outcome in ("removed", "failed"))
    ticket = make_ticket()
    publish(ticket.pk)
    ticket.delete()
    with faults(cloudlet, [{"call": "destroy", "kind": "error", "status": 503, "message": "Service unavailable"}]):
        deletions.delete_due()
    assert (removed(), failed()) == (0, 2)
    make_ticket().delete()
    deletions.delete_due()

    assert (removed(), failed()) == (2, 2)


def test_admissions_are_counted_by_verdict(rise: Rise) -> None:
    counts = {result: rise("admit_admissions_total", result=result) for result in checkin_metrics.ADMISSION_RESULTS}
    door = make_user()
    event = make_event(organiser=make_organiser(door=door))
    ticket, reissued, other = (make_ticket(event=event) for _ in range(3))
    viewer = make_user(is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_eventticket"))
    old = code_of(reissued)
    issuing.reissue(reissued)
    admission.admit(code_of(ticket), door)
    admission.admit(code_of(ticket), door)
    admission.admit(old, door)
    admission.admit("nonsense", door)
    admission.admit(code_of(other), door, make_event(organiser=event.organiser))
    with pytest.raises(admission.PermissionDenied):
        admission.admit(code_of(other), viewer)

    assert {result: count() for result, count in counts.items()} == dict.fromkeys(checkin_metrics.ADMISSION_RESULTS, 1)


def test_requests_are_counted_by_route_and_never_by_path(client: Client, rise: Rise) -> None:
    def requests(route: str, status: str, method: str = "GET") -> Callable[[], float]:
        return rise("admit_http_request_seconds_count", method=method, route=route, status=status)

    detail = requests("api/events/ticket/<ticket_id>/", "4xx")
    unmatched, odd = requests("unmatched", "4xx"), requests("unmatched", "4xx", "other")
    alive = requests("healthz", "2xx")
    for number in range(3):
        client.get(f"/api/events/ticket/{number}/")
        client.get(f"/nothing/{number}")
    client.generic("BREW", "/nothing")
    client.get("/healthz")

    assert (detail(), unmatched(), odd(), alive()) == (3, 3, 1, 1)


def test_labels_contain_no_ids(client: Client, cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    publish(ticket.pk)
    client.get(f"/tickets/{ticket.ticket_id}/")
    client.get(f"/api/events/ticket/{ticket.ticket_id}/")
    page = client.get("/metrics", headers=TOKEN).content.decode()

    assert str(ticket.ticket_id) not in page
    allowed = {
        "lane", "outcome", "operation", "kind", "result", "method", "route", "status", "task", "state", "le", "queue",
        "measure", "problem", "wallet",
    }  # fmt: skip
    labels = {
        label
        for family in text_string_to_metric_families(page)
        if family.name.startswith("admit_")
        for sample in family.samples
        for label in sample.labels
    }
    assert labels <= allowed


def test_series_are_exported_from_the_start(client: Client) -> None:
    page = client.get("/metrics", headers=TOKEN).content.decode()
    for outcome in storage_metrics.CALL_OUTCOMES:
        labels = f'kind="pdf_ticket",operation="upload",outcome="{outcome}"'
        assert re.search(rf"^admit_storage_calls_total{{{labels}}} \d", page, re.MULTILINE), outcome
    assert 'admit_backlog_oldest_seconds{kind="ticket"} 0.0' in page


# -- Processes ----------------------------------------------------------------------------------------------


# Apps need not be loaded to count, and loading them takes a second.
COUNT = """
from apps.publishing.metrics import deletions
from apps.storage.metrics import calls_in_flight
deletions.labels("removed").inc(7)
calls_in_flight.inc(5)
"""


def count_elsewhere(before_the_end: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COUNT + "print('counted', flush=True)\n" + before_the_end],
        cwd=BACKEND,
        env=environment("filesystem://"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_scrape_shows_all_processes_and_counts_of_dead_ones(rise: Rise) -> None:
    removed, in_flight = rise("admit_deletions_total", outcome="removed"), rise("admit_storage_calls_in_flight")
    with count_elsewhere("input()") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        assert (removed(), in_flight()) == (7, 5)
        process.kill()  # without any clean-up
    assert removed() == 7
    assert in_flight() == 0, "the gauge of a dead process is still counted"


def test_successive_processes_use_the_same_files(settings: Any, rise: Rise) -> None:
    removed = rise("admit_deletions_total", outcome="removed")
    files: list[set[Path]] = []
    for _ in range(2):
        assert count_elsewhere().communicate(timeout=60)[0] == "counted\n"
        files.append(set(Path(settings.METRICS_DIR).glob("*.db")))
    assert removed() == 14
    assert files[0] == files[1]


def test_forked_process_has_its_own_files(rise: Rise) -> None:
    removed, in_flight = rise("admit_deletions_total", outcome="removed"), rise("admit_storage_calls_in_flight")
    counted = count_elsewhere(
        """
import os
child = os.fork()
deletions.labels("removed").inc(10)
calls_in_flight.inc(1)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
print("forked", flush=True)
input()
"""
    )
    with counted as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["counted\n", "forked\n"]
        assert (removed(), in_flight()) == (27, 6)
        process.kill()


def test_process_takes_the_lowest_free_slot_and_clears_its_gauges(tmp_path: Path, settings: Any) -> None:
    settings.METRICS_DIR = tmp_path
    slot = process_files.ProcessSlot()
    stale, counter = tmp_path / "gauge_livesum_1.db", tmp_path / "counter_1.db"
    stale.touch()
    counter.touch()
    with (tmp_path / "0.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert slot.number() == 1
    assert (stale.exists(), counter.exists()) == (False, True)
    assert slot.held is not None
    os.close(slot.held[1])


def test_old_folders_of_other_machines_are_deleted(tmp_path: Path, settings: Any) -> None:
    settings.VAR_DIR = tmp_path
    long_ago = timezone.now().timestamp() - 31 * 24 * 3600
    for name, age in (("this", None), ("gone", long_ago), ("there", None)):
        folder = tmp_path / "metrics" / name
        folder.mkdir(parents=True)
        for file in (folder / "1.lock", folder / "counter_1.db"):
            file.touch()
            if age is not None:
                os.utime(file, (age, age))
    settings.METRICS_DIR = tmp_path / "metrics" / "this"
    process_files.remove_stale_files()

    assert sorted(path.name for path in (tmp_path / "metrics").iterdir()) == ["there", "this"]


# -- A machine without a web server ------------------------------------------------------------------------------


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Run `manage.py serve_metrics` on a free port. Yield its URL."""
    command = [sys.executable, "manage.py", "serve_metrics", "--port", "0"]
    env = environment("filesystem://") | {"METRICS_TOKEN": "only-for-monitors", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=BACKEND, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            yield found[0]
        finally:
            process.terminate()


def test_machine_without_a_web_server_can_be_scraped(rise: Rise) -> None:
    publishing_metrics.deletions.labels("removed").inc()
    removed = read("admit_deletions_total", outcome="removed")
    with serving() as address:
        answers = {
            headers.get("Authorization", ""): urllib3.request(
                "GET", address, headers=headers, timeout=30, retries=False
            )
            for headers in (TOKEN, {}, {"Authorization": "Bearer wrong"})
        }
        nothing = urllib3.request("GET", address.replace("/metrics", "/admin/"), headers=TOKEN, timeout=30)
    assert [answer.status for answer in answers.values()] == [200, 404, 404]
    page = answers[TOKEN["Authorization"]].data.decode()
    assert f'admit_deletions_total{{outcome="removed"}} {removed}' in page
    assert "admit_backlog" not in page, "metrics of the database are exported by web servers only"
    assert nothing.status == 404


def test_serve_metrics_needs_a_token() -> None:
    with pytest.raises(CommandError, match="METRICS_TOKEN"):
        call_command("serve_metrics")
