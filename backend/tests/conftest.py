"""Fixtures that every test may ask for: a real cloudlet, and a database that threads can share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import override_settings

from apps.core.jobs import dispatch
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet, running_cloudlet

from .database import name_of, test_database
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
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Give each process of the test run a database of its own, on disk, so that threads really meet in it."""
    options = connection.settings_dict.setdefault("OPTIONS", {})
    if connection.vendor == "sqlite":  # nothing here has to survive a power cut
        options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=NORMAL")
    else:
        options["options"] = "-c synchronous_commit=off"
    folder = tmp_path_factory.getbasetemp()
    run_dir = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with django_db_blocker.unblock(), test_database(name_of(VAR_DIR), run_dir):
        yield


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
