"""Fixtures that every test may ask for: a real cloudlet, and a database that threads can share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import override_settings

from apps.core.jobs import dispatch
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet, running_cloudlet

from .environment import VAR_DIR
from .network_guard import network_guard

LONGEST_FIRST = (
    "test_chaos.py",
    "test_engines.py",
    "test_pages_in_a_browser.py",
    "test_demo.py",
    "test_containers.py",
    "test_metrics.py",
)


@pytest.hookimpl(trylast=True)  # after the order was shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start whole systems come first, so that no process is left alone with one of them at the end."""
    last = len(LONGEST_FIRST)
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.name) if item.path.name in LONGEST_FIRST else last)


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Each process of the test run has a database of its own, on disk, so that threads really meet in it."""
    connection = connections["default"]
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"test_admit_{os.getpid()}_{worker}" if connection.vendor == "postgresql" else str(VAR_DIR / "test.sqlite3")
    connection.settings_dict["TEST"]["NAME"] = name
    options = connection.settings_dict.setdefault("OPTIONS", {})
    if connection.vendor == "sqlite":  # nothing here has to survive a power cut
        options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=NORMAL")
    else:
        options["options"] = "-c synchronous_commit=off"


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_row_by_row() -> Iterator[None]:
    """After a test that commits. PostgreSQL takes half a second to truncate our tables, and they hold a few rows.

    The order of the tables does not matter: Django's foreign keys are checked at the end of the transaction.
    """
    operations = connections["default"].ops

    def sql_flush(style: Any, tables: Sequence[str], **_: Any) -> list[str]:
        return [f"DELETE FROM {operations.quote_name(table)};" for table in tables]  # noqa: S608 # our own tables

    if connections["default"].vendor == "postgresql":
        with mock.patch.object(operations, "sql_flush", sql_flush):
            yield
    else:
        yield


@pytest.fixture(scope="session", autouse=True)
def _others_leave_the_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """PostgreSQL drops no database that somebody uses, and processes that tests have killed are slow to leave it."""
    yield
    connection = connections["default"]
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session")
def cloudlet_server() -> Iterator[RunningCloudlet]:
    """A real cloudlet where the settings expect it, for the whole run of this process."""
    account = settings.CLOUDINARY_ACCOUNT
    with running_cloudlet(
        data=VAR_DIR / "cloudlet",
        cloud_name=account.cloud_name,
        api_key=account.api_key,
        api_secret=account.api_secret,
        options=["--port", str(settings.CLOUDLET_PORT)],
    ) as server:
        yield server


@pytest.fixture
def cloudlet(cloudlet_server: RunningCloudlet) -> RunningCloudlet:
    """The running cloudlet. Tickets have random ids, so tests need not clean it up after themselves."""
    return cloudlet_server


@pytest.fixture(autouse=True)
def _open_gate() -> None:
    """No test pays for what an earlier one let storage or the broker answer."""
    gateway.limiter.reset()
    dispatch.forget_outage()


@pytest.fixture(autouse=True)
def network_out_of_place() -> Iterator[list[str]]:
    """No request and no transaction waits for storage, in any test: here are the calls that would make one wait."""
    with network_guard() as found:
        yield found
    assert not found


@pytest.fixture(autouse=True)
def _no_messages_from_before() -> None:
    """No worker that a test starts has to work off first what earlier tests sent to the default broker."""
    for message in (VAR_DIR / "broker" / "messages").iterdir():
        message.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _no_requests_counted() -> None:
    """The limits on requests count in the cache, which a rolled back transaction leaves as it is."""
    cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _settings_of_tests() -> Iterator[None]:
    """Pages name their static files plainly (a test that serves them collects them itself); passwords hash fast."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    hasher = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}, PASSWORD_HASHERS=[hasher]):
        yield
