"""What the backend uses of other libraries' private parts: each has a test here, and its library an upper bound.

When one fails after an upgrade, its message says what has to be found anew.
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

# An underscored name of another object, but for those that Django documents; and a module that is called internal.
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


def test_their_libraries_have_upper_bounds() -> None:
    needed = tomllib.loads((BACKEND / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {
        requirement.name for requirement in map(Requirement, needed) if "<" in str(requirement.specifier)
    } == BOUNDED


@pytest.mark.parametrize(
    "call", [lambda: gateway.destroy(gateway.QR_CODE, "tickets/qr_codes/1/none"), gateway.ask_account]
)
def test_cloudinary_calls_storage_through_our_pool(cloudlet: RunningCloudlet, call: Callable[[], object]) -> None:
    with mock.patch.object(gateway._pool, "request", side_effect=gateway._pool.request) as request:
        call()
    assert request.called, (
        "The SDK no longer calls storage through `uploader._http` and `api_client.call_api._http`. Give "
        "`gateway._pool` to what it calls through now: else uploads share a connection."
    )


def test_prometheus_client_names_files_by_our_slots_and_counts_on_in_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for slot in (0, 1, 0):
        monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue(partial(int, slot)))
        Counter("tickets", "Tickets", registry=None).inc()
    files = sorted(map(str, tmp_path.iterdir()))
    (metric,) = MultiProcessCollector.merge(files)
    assert ([Path(name).name for name in files], metric.samples[0].value) == (["counter_0.db", "counter_1.db"], 3), (
        "`values.ValueClass` no longer makes the numbers, or `values.MultiProcessValue` no longer takes the function "
        "that numbers processes: see apps/core/telemetry/process_files.py. Else each process leaves files behind."
    )


def test_allauth_asks_the_adapter_for_the_key_of_failed_sign_ins(db: None) -> None:
    with mock.patch.object(AccountAdapter, "_get_login_attempts_cache_key", return_value="key") as asked:
        AccountAdapter().authenticate(RequestFactory().post("/"), email="nina@example.org", password=PASSWORD)
    assert asked.called, "Find what names the limit on wrong passwords now: another `Host` must not be another limit."


def test_allauth_keeps_a_mailed_code_and_the_pending_sign_in_in_the_session(client: Client, db: None) -> None:
    client.post("/accounts/signup/", {"email": "nina@example.org", "password1": PASSWORD, "password2": PASSWORD})
    state = client.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY, {})
    assert {"at", "user_id", "email"} <= state.keys(), (
        "Find where the code that was mailed is kept now: apps/accounts/mailed_codes.py counts the attempts at it."
    )
    request: Any = RequestFactory().get("/")
    request.session = client.session
    pending = stagekit.LOGIN_SESSION_KEY in request.session
    stagekit.clear_login(request)
    assert (pending, stagekit.LOGIN_SESSION_KEY in request.session) == (True, False), (
        "Find what forgets a pending sign-in now: AccountAdapter.pre_login blocks demo accounts by it."
    )


def test_allauth_s_forms_read_addresses_by_django_s_field() -> None:
    fields = [
        allauth_forms.LoginForm().fields["login"],
        allauth_forms.SignupForm().fields["email"],
        allauth_forms.ResetPasswordForm().fields["email"],
        allauth_inputs.LoginInput().fields["email"],
        allauth_inputs.SignupInput().fields["email"],
        allauth_inputs.RequestPasswordResetInput().fields["email"],
    ]
    assert {type(field).to_python for field in fields} == {forms.EmailField.to_python}, (
        "A form reads an address by a field of its own: `clean_addresses_in_all_forms` must clean that as well."
    )
    assert forms.EmailField().clean("\u200bnina@example.org") == "nina@example.org"


def test_django_s_forms_and_admin_have_the_hooks_that_the_back_office_uses() -> None:
    with mock.patch.object(EventForm, "_post_clean") as hook:
        EventForm({}).full_clean()
    assert hook.called, "Find where a form can look at its instance now: EventForm tries out there what it would print."
    names = [url.name for url in admin.ModelAdmin(Event, admin.site).get_urls()[:1]]
    assert names == ["events_event_changelist"], "ExaminationAdmin keeps the first address alone, for its page."
    assert "view_on_site" in [getattr(url, "name", "") for url in admin.AdminSite().get_urls()], (
        "BackOfficeSite leaves out what redirects to any object: find its name."
    )


def test_ninja_checks_csrf_tokens_as_django_does() -> None:
    factory = RequestFactory(enforce_csrf_checks=True)
    refused, read = check_csrf(factory.post("/")), check_csrf(factory.get("/"))
    assert (refused is None, read) == (False, None), "Find what apps/api/authentication.py can check the token by."


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
