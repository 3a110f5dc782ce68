"""Test that the dashboard and the alerts use metrics, labels and values that /metrics has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.core.jobs import kinds
from apps.core.telemetry import metrics
from apps.monitoring.backlog import FORMER_NAMES
from apps.publishing import tasks
from apps.storage_checks import runs
from apps.storage_checks.models import UsageSample
from tests.factories import make_ticket
from tests.wallet_credentials import Authority

pytestmark = pytest.mark.django_db

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to"
DASHBOARD = json.loads((HOW_TO / "grafana-dashboard.json").read_text())
ALERTS = [rule for group in yaml.safe_load((HOW_TO / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
OURS = re.compile(r"\b(admit_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])
    for variable in DASHBOARD["templating"]["list"]:
        yield variable.get("definition", "")
    for rule in ALERTS:
        yield rule["expr"]


@pytest.fixture
def exported(client: Client, settings: Any, tmp_path: Path) -> dict[str, dict[str, set[str]]]:
    """Return the values of every label of every metric, after a little activity of each kind."""
    settings.METRICS_TOKEN = "only-for-monitors"
    for name, value in Authority().settings(tmp_path).items():
        setattr(settings, name, value)
    make_ticket().delete()
    UsageSample.objects.create(storage=1, bandwidth=1, transformations=1, credits=1, credits_limit=25)
    with runs.recording(runs.start()) as record:
        record.finish([])
    metrics.http_request_seconds.labels("GET", "healthz", "5xx")
    metrics.task_seconds.labels(tasks.publish.name, "failure")
    page = client.get("/metrics", headers={"Authorization": "Bearer only-for-monitors"}).content.decode()
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


def test_every_metric_and_label_in_use_is_exported(exported: dict[str, dict[str, set[str]]]) -> None:
    used = [found for expression in expressions() for found in OURS.findall(expression)]
    assert len(used) > 40
    for name, matchers in used:
        assert name in exported, name
        for label, how, value in MATCHER.findall(matchers):
            if label == "job":
                continue  # Prometheus adds it
            assert label in exported[name], (name, label)
            values = value.split("|") if how in ("=~", "!~") else [value]
            for pattern in values:
                assert any(re.fullmatch(pattern, found) for found in exported[name][label]), (name, label, pattern)


def test_every_metric_is_on_the_dashboard(exported: dict[str, dict[str, set[str]]]) -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name, _ in OURS.findall(target["expr"])}
    base = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown}
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported if name.startswith("admit_")}
    former = {f"admit_{name}" for name in FORMER_NAMES}
    assert {name for name in ours - base - former if not name.endswith("_created")} == set()


def test_former_names_are_not_used() -> None:
    used = {name for expression in expressions() for name, _ in OURS.findall(expression)}
    assert not used & {f"admit_{name}" for name in FORMER_NAMES}


@pytest.mark.parametrize("age", ["overdue", "oldest"])
def test_every_kind_of_job_has_one_alert(age: str) -> None:
    """Thresholds differ by kind. A new kind must have one, too."""
    watched = []
    for rule in ALERTS:
        for name, matchers in OURS.findall(rule["expr"]):
            if name == f"admit_backlog_{age}_seconds":
                ((_, how, pattern),) = MATCHER.findall(matchers)
                watched += [
                    kind.name
                    for kind in kinds.registered()
                    if bool(re.fullmatch(pattern, kind.name)) == (how in ("=", "=~"))
                ]
    # Files to delete wait behind tickets and for rate limits. Failing endpoints must be repaired by their organisers.
    exempt = {"overdue": "file_deletion", "oldest": "webhook"}[age]
    expected = {kind.name for kind in kinds.registered()} - {exempt}
    assert sorted(watched) == sorted(expected)


def test_metrics_of_the_database_are_never_summed() -> None:
    """Every web server exports them, so a sum would count them once for each."""
    of_the_database = (
        r"admit_(backlog\w*|queue_tasks|webhook_endpoints_troubled"
        r"|storage_usage|storage_credits_limit|findings|last_storage_check_seconds)\b"
    )
    for expression in expressions():
        for found in re.finditer(of_the_database, expression):
            assert re.search(r"\bmax(?: by \(\w+\))? ?\($", expression[: found.start()]), expression


def test_dashboard_is_valid_for_grafana() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["title"]


def test_every_alert_is_documented() -> None:
    page = (HOW_TO / "watch.md").read_text()
    for rule in ALERTS:
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in page


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_expressions_are_balanced(expression: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    assert expression.count('"') % 2 == 0
