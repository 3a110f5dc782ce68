"""Test that public names stay when code moves: those in other programs, queued messages, databases and dashboards.

To change such a name, keep the old one beside it for a release, and add a line to CHANGELOG.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management import get_commands
from django.test import Client
from django.urls import URLPattern, get_resolver
from prometheus_client.parser import text_string_to_metric_families

from tests.factories import make_user

SOURCES = sorted(
    path
    for folder in ("apps", "config")
    for path in (Path(settings.BASE_DIR) / folder).rglob("*.py")
    if "migrations" not in path.parts
)

TASKS = """
apps.events.tasks.clear_sessions apps.events.tasks.create_google_class apps.events.tasks.delete_due
apps.events.tasks.examine apps.events.tasks.forget_issued_lists apps.events.tasks.notice_changes
apps.events.tasks.publish apps.events.tasks.publish_due apps.events.tasks.republish_changed
apps.events.tasks.sample_usage apps.mail.tasks.send_due apps.mail.tasks.sweep apps.webhooks.tasks.deliver_due
apps.webhooks.tasks.forget_old apps.webhooks.tasks.sweep
"""
SCHEDULE = {
    "publish what is due": ("apps.events.tasks.publish_due", None),
    "republish what changed": ("apps.events.tasks.republish_changed", "bulk"),
    "notice changed events": ("apps.events.tasks.notice_changes", "bulk"),
    "delete what is due": ("apps.events.tasks.delete_due", "bulk"),
    "deliver webhooks that are due": ("apps.webhooks.tasks.sweep", None),
    "send mail that is due": ("apps.mail.tasks.sweep", None),
    "forget old webhooks": ("apps.webhooks.tasks.forget_old", "bulk"),
    "sample the account's usage": ("apps.events.tasks.sample_usage", "bulk"),
    "forget old sessions": ("apps.events.tasks.clear_sessions", "bulk"),
    "forget old lists": ("apps.events.tasks.forget_issued_lists", "bulk"),
}
TABLES = """
accounts_mailedcode accounts_membership accounts_organiser accounts_user accounts_user_groups
accounts_user_user_permissions events_deployment events_event events_eventimage events_eventticket events_examination
events_googlewalletclass events_issuedlist events_storedfiledeletion events_ticketcode events_tickettype
events_usagesample mail_outgoingmail publishing_changedevent webhooks_webhookendpoint webhooks_webhookmessage
"""
PERMISSIONS = """
add_event add_eventimage add_eventticket add_examination add_issuedlist add_mailedcode add_membership add_organiser
add_outgoingmail add_storedfiledeletion add_tickettype add_user add_webhookendpoint add_webhookmessage change_event
change_eventimage change_eventticket change_issuedlist change_mailedcode change_membership change_organiser
change_outgoingmail change_storedfiledeletion change_tickettype change_user change_webhookendpoint
change_webhookmessage delete_event delete_eventimage delete_eventticket delete_issuedlist delete_mailedcode
delete_membership delete_organiser delete_outgoingmail delete_storedfiledeletion delete_tickettype delete_user
delete_webhookendpoint delete_webhookmessage view_event view_eventimage view_eventticket view_examination
view_issuedlist view_mailedcode view_membership view_organiser view_outgoingmail view_storedfiledeletion
view_tickettype view_user view_webhookendpoint view_webhookmessage
"""
LOGGERS = """
apps.core.jobs.kinds apps.events.api.errors apps.events.api.wallets apps.events.auditing.examinations
apps.events.confined apps.events.media apps.events.publishing.cascades apps.events.publishing.claims
apps.events.publishing.deletions apps.events.publishing.dispatch apps.events.publishing.pipeline
apps.events.publishing.sweep apps.events.retrying apps.events.wallets apps.events.watching apps.mail.sending
apps.telemetry.middleware apps.webhooks.claims apps.webhooks.delivery apps.webhooks.upkeep config.priority
"""
METRICS = """
admit_admissions:counter admit_attempts:counter admit_backlog:gauge admit_backlog_oldest_seconds:gauge
admit_backlog_overdue_seconds:gauge admit_database_up:gauge admit_deletions:counter admit_events_to_follow:gauge
admit_files_to_delete:gauge admit_findings:gauge admit_given_up:gauge admit_http_request_seconds:histogram
admit_last_storage_check_seconds:gauge admit_leased:gauge admit_mail_oldest:gauge admit_mail_pending:gauge
admit_oldest_deletion:gauge admit_oldest_wait:gauge admit_oldest_wish:gauge admit_pending:gauge
admit_publish_seconds:histogram admit_queue_tasks:gauge admit_render_seconds:histogram admit_retrying:gauge
admit_storage_call_limit:gauge admit_storage_call_seconds:histogram admit_storage_calls:counter
admit_storage_calls_in_flight:gauge admit_storage_credits_limit:gauge admit_storage_held_until_seconds:gauge
admit_storage_usage:gauge admit_task_seconds:histogram admit_upload_retries:counter
admit_wallet_credentials_end_seconds:gauge admit_wallet_off:gauge admit_webhook_endpoints_troubled:gauge
admit_webhook_seconds:histogram admit_webhooks_given_up:gauge admit_webhooks_oldest_wait:gauge
admit_webhooks_pending:gauge
"""
COMMANDS = """
export_openapi_schema make_demo migrate_tickets_to_cloudinary publish_tickets replay_webhooks serve_metrics
ticket_doctor
"""
CHECKS = """
accounts.W001 accounts.W002 accounts.W003 admit.W001 admit.W002 admit.W003 admit.W004
events.E001 events.E002 events.E003 events.E004 events.E005 events.E006
events.W001 events.W002 events.W003 events.W004 events.W005 events.W006 events.W010 events.W011
webhooks.W001
"""
ROUTES = {
    ("healthz", None),
    ("readyz", None),
    ("metrics", None),
    ("", "home"),
    ("tickets/", None),
    ("favicon.ico", None),
    ("tickets/<uuid:ticket_id>/", "ticket"),
    ("tickets/<uuid:ticket_id>/pdf/", "ticket_pdf"),
    ("tickets/<uuid:ticket_id>/apple-wallet/", "ticket_apple_wallet"),
    ("tickets/<uuid:ticket_id>/google-wallet/", "ticket_google_wallet"),
    ("events/<row_id:event_id>/<slug:sha256>.jpg", "event_cover"),
    ("events/<row_id:event_id>/<slug:sha256>.png", "event_logo"),
    ("api/openapi.json", "openapi-json"),
    ("api/docs", "openapi-view"),
    ("api/events/ticket/<ticket_id>/", "get_ticket"),
    ("api/events/regenerate/<ticket_id>/", "regenerate"),
    ("api/events/tickets/", "list_own_tickets"),
    ("api/events/<row_id:event_id>/tickets/", "list_event_tickets"),
    ("api/events/<row_id:event_id>/cover/<sha256>/", "event_cover"),
    ("api/events/ticket/<ticket_id>/apple-wallet/", "apple_wallet"),
    ("api/events/ticket/<ticket_id>/google-wallet/", "google_wallet"),
    ("api/events/verify/<scanned:code>", "verify"),
    ("api/events/verify/", "verify_scan"),
    ("api/events/admit/", "admit"),
    ("api/events/keys/", "keys"),
    ("api/", "api-root"),
}
BACK_OFFICE = [
    "/admin/",
    "/admin/auth/group/",
    "/admin/accounts/user/",
    "/admin/accounts/organiser/",
    "/admin/events/event/",
    "/admin/events/event/layouts/",
    "/admin/events/eventticket/",
    "/admin/events/examination/",
    "/admin/events/storedfiledeletion/",
    "/admin/webhooks/webhookendpoint/",
    "/admin/webhooks/webhookmessage/",
]


def names(text: str) -> set[str]:
    return set(text.split())


def routes(patterns: list[Any], before: str = "") -> Iterator[tuple[str, str | None]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, pattern.name
        else:
            yield from routes(pattern.url_patterns, route)


def loggers(path: Path) -> Iterator[str]:
    """Yield the names of the loggers that the module creates."""
    module = ".".join(path.relative_to(settings.BASE_DIR).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "getLogger":
            match node.args:
                case [ast.Constant(value=str(name))]:
                    yield name
                case [ast.Name(id="__name__")]:
                    yield module


def test_tasks_keep_their_names() -> None:
    """Queued messages, workers of the previous version and the schedule contain them."""
    current_app.loader.import_default_modules()
    assert {name for name in current_app.tasks if not name.startswith("celery.")} == names(TASKS)
    schedule = {
        name: (entry["task"], entry.get("options", {}).get("queue"))
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
    }
    assert schedule == SCHEDULE


def test_tables_keep_their_names() -> None:
    ours = [model for model in apps.get_models(include_auto_created=True) if model.__module__.startswith("apps.")]
    assert {model._meta.db_table for model in ours} == names(TABLES)


@pytest.mark.django_db
def test_permissions_keep_their_names() -> None:
    ours = Permission.objects.exclude(content_type__app_label__in=["admin", "auth", "contenttypes", "sessions"])
    ours = ours.exclude(content_type__app_label="account")
    assert set(ours.values_list("codename", flat=True)) == names(PERMISSIONS)


def test_loggers_keep_their_names() -> None:
    """Operators set levels and filter lines by them. All steps of publishing are logged below `apps.events`."""
    assert {name for path in SOURCES for name in loggers(path)} == names(LOGGERS)


@pytest.mark.django_db
def test_metrics_keep_their_names(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "only-for-monitors"
    page = client.get("/metrics", headers={"Authorization": "Bearer only-for-monitors"}).text
    found = {f"{family.name}:{family.type}" for family in text_string_to_metric_families(page)}
    # These two have no series before the first request and the first task.
    assert found | {"admit_http_request_seconds:histogram", "admit_task_seconds:histogram"} == names(METRICS)


def test_commands_and_checks_keep_their_names() -> None:
    assert {name for name, app in get_commands().items() if str(app).startswith("apps.")} == names(COMMANDS)
    found = {name for path in SOURCES for name in re.findall(r'"(\w+\.[EW]\d{3})"', path.read_text())}
    assert found == names(CHECKS)


def test_urls_keep_their_routes_and_names() -> None:
    ours = {
        (route, name)
        for route, name in routes(get_resolver().url_patterns)
        if not route.startswith(("accounts/", "_allauth/", "admin/"))
    }
    assert ours == ROUTES


@pytest.mark.django_db
@pytest.mark.parametrize("address", BACK_OFFICE)
def test_urls_of_the_back_office_still_work(client: Client, address: str) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    assert client.get(address, follow=True).status_code == 200
