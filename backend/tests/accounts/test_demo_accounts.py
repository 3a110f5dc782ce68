"""Demo accounts have a public password, so they can't sign in on a site that others can reach."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import ConnectionHandler
from django.test import Client
from pytest_django.fixtures import Settings

from apps.accounts import checks
from apps.accounts.models import User
from apps.demo.content import DOOR, HOLDERS, LOCAL_PASSWORD, MANAGER, make_demo
from tests.database import restore_migrated
from tests.factories import make_user

from .test_app_sign_in import App

pytestmark = pytest.mark.integration

ORGANISER = MANAGER[0]
DEMO_EMAILS = {ORGANISER, DOOR[0], *(email for email, *_ in HOLDERS)}


@pytest.fixture
def in_production(settings: Settings) -> None:
    """Create the demo on a local site, then make the site public."""
    make_demo()
    settings.PUBLIC_URL = "https://tickets.example.org"


def sign_in(client: Client, email: str = ORGANISER, password: str = LOCAL_PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": email, "password": password})


@pytest.mark.django_db
@pytest.mark.usefixtures("in_production")
def test_a_demo_account_cannot_sign_in_with_its_password() -> None:
    for email in sorted(DEMO_EMAILS):
        cache.clear()  # the attempts counted so far
        browser, app = Client(), App()
        assert "demo account" in sign_in(browser, email).content.decode(), email
        assert not browser.session.get("_auth_user_id"), email

        answer = app.sign_in(email, LOCAL_PASSWORD)
        assert answer.status_code == 400, email
        assert "demo account" in answer.json()["errors"][0]["message"], email
        assert app.call("GET", "/api/events/tickets/").status_code == 401, email


@pytest.mark.django_db
def test_existing_sessions_of_demo_accounts_become_invalid(settings: Settings) -> None:
    make_demo()
    browser, app = Client(), App()
    sign_in(browser)
    app.sign_in(ORGANISER, LOCAL_PASSWORD)

    def statuses() -> list[int]:
        tickets = "/api/events/tickets/"
        answers = browser.get("/admin/"), app.call("GET", tickets), browser.get(tickets)
        return [answer.status_code for answer in answers]

    assert statuses() == [200, 200, 200]
    settings.PUBLIC_URL = "https://tickets.example.org"
    assert statuses() == [302, 401, 401]


@pytest.mark.django_db
@pytest.mark.usefixtures("in_production")
def test_a_session_created_without_the_adapter_is_invalid() -> None:
    user = User.objects.get(email=ORGANISER)
    assert authenticate(email=ORGANISER, password=LOCAL_PASSWORD) == user
    client = Client()
    client.force_login(user)
    assert client.get("/admin/").status_code == 302
    assert client.get("/api/events/tickets/").status_code == 401


@pytest.mark.django_db
@pytest.mark.usefixtures("in_production")
def test_a_demo_account_cannot_sign_in_by_a_mailed_code() -> None:
    user = make_user("nina@example.org", confirmed=False)
    client = Client()
    sign_in(client, user.email, "correct horse battery staple")
    User.objects.filter(pk=user.pk).update(is_demo=True)
    code = client.session["account_email_verification_code"]["code"]
    client.post("/accounts/confirm-email/", {"code": code})
    assert client.get("/api/events/tickets/").status_code == 401


@pytest.mark.django_db
def test_other_accounts_can_sign_in(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tickets.example.org"
    client = Client()
    assert sign_in(client, make_user().email, "correct horse battery staple").status_code == 302
    assert client.get("/api/events/tickets/").status_code == 200


@pytest.mark.django_db
def test_demo_accounts_can_sign_in_locally_and_with_debug(settings: Settings) -> None:
    make_demo()
    for public_url, debug in (("http://localhost:8000", False), ("https://tickets.example.org", True)):
        settings.PUBLIC_URL, settings.DEBUG = public_url, debug
        client = Client()
        assert sign_in(client).status_code == 302, public_url
        assert client.get("/admin/").status_code == 200, public_url


def warnings() -> list[str]:
    found = run_checks(include_deployment_checks=True)
    return [str(message.msg) for message in found if message.id == "accounts.W002"]


@pytest.mark.django_db
@pytest.mark.usefixtures("in_production")
def test_the_check_lists_demo_accounts_until_they_have_new_passwords() -> None:
    (warning,) = warnings()
    assert all(email in warning for email in DEMO_EMAILS)

    output = StringIO()
    call_command("make_demo", stdout=output)
    assert warnings() == []
    assert LOCAL_PASSWORD not in output.getvalue()
    (password,) = [line.split()[2] for line in output.getvalue().splitlines() if ORGANISER in line]
    client = Client()
    assert sign_in(client).status_code == 200
    assert sign_in(client, ORGANISER, password).status_code == 302
    assert client.get("/admin/").status_code == 200

    make_user("nina@example.org")
    User.objects.filter(is_demo=True).delete()
    assert warnings() == []


@pytest.mark.django_db
def test_the_check_warns_if_the_database_is_unreachable(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_URL = "https://tickets.example.org"
    nowhere = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "gone" / "db.sqlite3")}
    monkeypatch.setattr(checks, "connection", ConnectionHandler({"default": nowhere})["default"])
    (warning,) = checks.check_demo_accounts(None)
    assert (warning.id, "unable to open database file" in warning.msg) == ("accounts.W003", True)


# -- Migration of earlier releases -------------------------------------------------------------------------------


@pytest.fixture
def before() -> Iterator[Any]:
    yield _migrated([("accounts", "0001_initial")])
    restore_migrated()


def _migrated(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.mark.django_db(transaction=True)
@pytest.mark.databases
def test_the_migration_marks_existing_demo_accounts(before: Any, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tickets.example.org"
    assert warnings() == [], "check --deploy runs before migrate"
    model = before.get_model("accounts", "User")
    for email in DEMO_EMAILS:
        model.objects.create(email=email, password=_hashed(LOCAL_PASSWORD))
    model.objects.filter(email=DOOR[0]).update(password=_hashed("something of its own"))
    model.objects.create(email="nina@example.org", password=_hashed(LOCAL_PASSWORD))

    _migrated([("accounts", "0002_demo_and_mailed_codes")])
    assert set(User.objects.filter(is_demo=True).values_list("email", flat=True)) == DEMO_EMAILS - {DOOR[0]}
    assert len(warnings()) == 1

    # During a rolling upgrade, processes of the previous release insert rows without the new column.
    previous = model.objects.create(email="otto@example.org", password="!")
    assert not User.objects.get(pk=previous.pk).is_demo


def _hashed(password: str) -> str:
    user = User()
    user.set_password(password)
    return user.password
