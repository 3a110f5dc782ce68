"""Test /healthz, /readyz and /metrics."""

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


def test_healthz_uses_no_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200


def test_readyz_is_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": [], "impaired": []})


def test_readyz_reports_a_broker_that_is_down_but_is_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a load balancer would take all web servers out of service at once, including check-in."""
    monkeypatch.setattr(dispatch, "tasks_waiting", lambda queue: None)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert "The broker does not answer" in answer.json()["impaired"][0]


def test_readyz_is_not_ready_without_the_database(client: Client) -> None:
    with mock.patch.object(readiness, "MigrationExecutor", side_effect=OperationalError("password=secret")):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "secret" not in answer.content.decode()


def test_readyz_is_not_ready_with_unapplied_migrations(client: Client) -> None:
    with mock.patch.object(readiness.MigrationExecutor, "migration_plan", return_value=[object()]):
        assert "migrate" in client.get("/readyz").json()["reasons"][0]


def test_metrics_show_the_backlog(client: Client) -> None:
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


def test_metrics_of_processes_are_exported_without_the_database(client: Client) -> None:
    with mock.patch.object(backlog, "gauges", side_effect=OperationalError("no connection")):
        lines = client.get("/metrics", headers=TOKEN).content.decode().splitlines()
    assert "admit_database_up 0.0" in lines
    assert any(line.startswith("admit_storage_calls_total{") for line in lines)
    assert not any(line.startswith("admit_backlog") for line in lines)
    assert "admit_database_up 1.0" in client.get("/metrics", headers=TOKEN).content.decode().splitlines()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
def test_metrics_are_hidden_without_the_token(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/metrics", headers=headers).status_code == 404


def test_metrics_do_not_exist_without_the_setting(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
