"""Test the private parts of other libraries that the backend uses. Each such library has an upper version bound.

If a test fails after an upgrade, its message says which replacement to look for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from allauth.account import forms as allauth_forms
from allauth.account.internal import stagekit
from allauth.account.internal.flows.email_verification_by_code import EMAIL_VERIFICATION_CODE_SESSION_KEY
from allauth.headless.account import inputs as allauth_inputs
from celery import current_app
from django import forms
from django.contrib import admin
from django.test import Client, RequestFactory
from kombu.transport import pyamqp
from ninja.utils import check_csrf
from packaging.requirements import Requirement
from prometheus_client import Counter, values
from prometheus_client.multiprocess import MultiProcessCollector

from apps.accounts.adapter import AccountAdapter
from apps.backoffice.event_form import EventForm
from apps.events.models import Event
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import PASSWORD
from tests.workers import BACKEND

# A private name of another object, except those that Django documents; and a module named `internal`.
PRIVATE = re.compile(
    r"\b(?!self\b|cls\b)\w+\._(?!meta\b|default_manager\b|base_manager\b|state\b)[a-z]\w*|\ballauth[\w.]*\.internal\b"
)
USED = {
    "apps/accounts/adapter.py": {"allauth.account.internal"},
    "apps/accounts/mailed_codes.py": {"allauth.account.internal"},
    "apps/storage/gateway.py": {"uploader._http", "call_api._http"},
}
BOUNDED = {"Django", "cloudinary", "django-allauth", "django-ninja", "prometheus-client"}


def test_no_other_private_parts_are_used() -> None:
    files = [path for folder in ("apps", "config") for path in (BACKEND / folder).rglob("*.py")]
    found = {str(path.relative_to(BACKEND)): set(PRIVATE.findall(path.read_text())) for path in files}
    assert {name: parts for name, parts in found.items() if parts} == USED, "add a test for it to this file"


def test_libraries_have_upper_bounds() -> None:
    needed = tomllib.loads((BACKEND / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {
        requirement.name for requirement in map(Requirement, needed) if "<" in str(requirement.specifier)
    } == BOUNDED


@pytest.mark.parametrize(
    "call", [lambda: gateway.destroy(gateway.QR_CODE, "tickets/qr_codes/1/none"), gateway.ask_account]
)
def test_cloudinary_uses_our_connection_pool(cloudlet: RunningCloudlet, call: Callable[[], object]) -> None:
    with mock.patch.object(gateway._pool, "request", side_effect=gateway._pool.request) as request:
        call()
    assert request.called, (
        "The SDK no longer uses `uploader._http` and `api_client.call_api._http`. Find what it uses now and replace it "
        "by `gateway._pool`: else uploads share a connection."
    )


def test_prometheus_client_names_files_by_our_slots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for slot in (0, 1, 0):
        monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue(partial(int, slot)))
        Counter("tickets", "Tickets", registry=None).inc()
    files = sorted(map(str, tmp_path.iterdir()))
    (metric,) = MultiProcessCollector.merge(files)
    assert ([Path(name).name for name in files], metric.samples[0].value) == (["counter_0.db", "counter_1.db"], 3), (
        "`values.ValueClass` is no longer used, or `values.MultiProcessValue` no longer takes the function that "
        "numbers processes: see apps/core/telemetry/process_files.py. Without it, each process leaves files behind."
    )


def test_allauth_gets_the_cache_key_of_failed_sign_ins_from_the_adapter(db: None) -> None:
    with mock.patch.object(AccountAdapter, "_get_login_attempts_cache_key", return_value="key") as method:
        AccountAdapter().authenticate(RequestFactory().post("/"), email="nina@example.org", password=PASSWORD)
    assert method.called, "Find the new name of the cache key: another `Host` must not have a rate limit of its own."


def test_allauth_stores_mailed_code_and_pending_sign_in_in_the_session(client: Client, db: None) -> None:
    client.post("/accounts/signup/", {"email": "nina@example.org", "password1": PASSWORD, "password2": PASSWORD})
    state = client.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY, {})
    assert {"at", "user_id", "email"} <= state.keys(), (
        "Find where the mailed code is stored now: apps/accounts/mailed_codes.py counts the attempts to guess it."
    )
    request: Any = RequestFactory().get("/")
    request.session = client.session
    pending = stagekit.LOGIN_SESSION_KEY in request.session
    stagekit.clear_login(request)
    assert (pending, stagekit.LOGIN_SESSION_KEY in request.session) == (True, False), (
        "Find what clears a pending sign-in now: AccountAdapter.pre_login uses it to refuse demo accounts."
    )


def test_forms_of_allauth_use_the_email_field_of_django() -> None:
    fields = [
        allauth_forms.LoginForm().fields["login"],
        allauth_forms.SignupForm().fields["email"],
        allauth_forms.ResetPasswordForm().fields["email"],
        allauth_inputs.LoginInput().fields["email"],
        allauth_inputs.SignupInput().fields["email"],
        allauth_inputs.RequestPasswordResetInput().fields["email"],
    ]
    assert {type(field).to_python for field in fields} == {forms.EmailField.to_python}, (
        "A form has its own email field: `clean_addresses_in_all_forms` must clean that, too."
    )
    assert forms.EmailField().clean("\u200bnina@example.org") == "nina@example.org"


def test_django_forms_and_admin_have_the_hooks_of_the_back_office() -> None:
    with mock.patch.object(EventForm, "_post_clean") as hook:
        EventForm({}).full_clean()
    assert hook.called, "Find where a form can validate its instance now: EventForm renders it there."
    names = [url.name for url in admin.ModelAdmin(Event, admin.site).get_urls()[:1]]
    assert names == ["events_event_changelist"], "ExaminationAdmin keeps the first URL only."
    assert "view_on_site" in [getattr(url, "name", "") for url in admin.AdminSite().get_urls()], (
        "BackOfficeSite removes the redirect to any object: find its name."
    )


def test_ninja_checks_csrf_tokens_as_django_does() -> None:
    factory = RequestFactory(enforce_csrf_checks=True)
    refused, read = check_csrf(factory.post("/")), check_csrf(factory.get("/"))
    assert (refused is None, read) == (False, None), "Find how apps/api/authentication.py can check the token."


def test_celery_uses_nothing_that_rabbitmq_4_refuses() -> None:
    """RabbitMQ 4.3 denies prefetch limits for a whole channel, and may deny queues neither durable nor exclusive."""
    mailbox = current_app.control.mailbox
    queues = [mailbox.get_queue("worker@host"), mailbox.get_reply_queue()]
    assert all(queue.durable or queue.exclusive for queue in queues), "CELERY_CONTROL_QUEUE_EXCLUSIVE was the default"
    assert current_app.conf.event_queue_exclusive, "CELERY_EVENT_QUEUE_EXCLUSIVE was the default"
    connection: Any = mock.Mock(server_properties={"product": "RabbitMQ", "version": "4.3.6"})
    assert pyamqp.Transport.qos_semantics_matches_spec(mock.Mock(), connection), (
        "kombu sets the prefetch of the whole channel again: Celery needs quorum queues, or another way to prevent it."
    )
