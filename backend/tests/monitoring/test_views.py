"""What monitors see: alive, ready or why not, and how much work is owed."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client

from apps.core.jobs import dispatch
from apps.events.models import EventTicket
from apps.monitoring import backlog, readiness
from tests.factories import make_ticket

pytestmark = pytest.mark.django_db
TOKEN = {"Authorization": "Bearer only-for-monitors"}


@pytest.fixture(autouse=True)
def _queues(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = "only-for-monitors"
    monkeypatch.setattr(dispatch, "tasks_waiting", {"bulk": 3, "interactive": 0, "webhooks": 0}.get)


def test_alive_asks_nothing(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200


def test_ready_says_so(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": [], "impaired": []})


def test_a_broker_that_is_down_is_told_and_closes_no_door(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What sends requests to those that are ready would take away every web server at once, the door's included."""
    monkeypatch.setattr(dispatch, "tasks_waiting", lambda queue: None)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert "The broker does not answer" in answer.json()["impaired"][0]


def test_a_database_that_is_down_is_a_reason(client: Client) -> None:
    with mock.patch.object(readiness, "MigrationExecutor", side_effect=OperationalError("password=secret")):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "secret" not in answer.content.decode()


def test_migrations_that_are_missing_are_a_reason(client: Client) -> None:
    with mock.patch.object(readiness.MigrationExecutor, "migration_plan", return_value=[object()]):
        assert "migrate" in client.get("/readyz").json()["reasons"][0]


def test_metrics_tell_what_is_owed(client: Client) -> None:
    make_ticket()
    failed, given_up = make_ticket(), make_ticket()
    EventTicket.objects.filter(pk=failed.pk).update(state="failed", reason="Cloudinary did not respond")
    EventTicket.objects.filter(pk=given_up.pk).update(state="failed", next_attempt_at=None)
    make_ticket().delete()
    lines = client.get("/metrics", headers=TOKEN).content.decode().splitlines()
    for line in (
        'admit_backlog{kind="ticket",state="waiting"} 1.0',
        'admit_backlog{kind="ticket",state="retrying"} 1.0',
        'admit_backlog{kind="ticket",state="given_up"} 1.0',
        'admit_backlog{kind="file_deletion",state="waiting"} 2.0',
        'admit_queue_tasks{queue="bulk"} 3.0',
    ):
        assert line in lines


def test_what_processes_counted_is_told_while_the_database_is_away(client: Client) -> None:
    with mock.patch.object(backlog, "gauges", side_effect=OperationalError("no connection")):
        lines = client.get("/metrics", headers=TOKEN).content.decode().splitlines()
    assert "admit_database_up 0.0" in lines
    assert any(line.startswith("admit_storage_calls_total{") for line in lines)
    assert not any(line.startswith("admit_backlog") for line in lines)
    assert "admit_database_up 1.0" in client.get("/metrics", headers=TOKEN).content.decode().splitlines()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
def test_metrics_hide_from_everybody_else(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/metrics", headers=headers).status_code == 404


def test_without_a_token_there_are_no_metrics(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
