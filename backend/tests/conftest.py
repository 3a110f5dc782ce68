"""Fixtures for all tests: a real cloudlet, a database that threads can share, and a clean state for each test."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.test import override_settings
from hypothesis import settings as settings_of_hypothesis

from apps.core.jobs import dispatch
from apps.events import event_images
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet, running_cloudlet

from . import kinds
from .database import name_of, test_database
from .environment import VAR_DIR
from .network_guard import network_guard

LONGEST_FIRST = (
    "test_chaos.py",
    "test_engines.py",
    "test_pages_in_a_browser.py",
    "test_demo.py",
    "test_fresh_checkout.py",
    "test_containers.py",
    "test_upgrade.py",
    "test_metrics.py",
)

admin.autodiscover()  # as the URLs do: some tests look at the registered pages without a request

# How many examples tests of properties try. `make test-fast` and `make soak` choose by HYPOTHESIS_PROFILE.
settings_of_hypothesis.register_profile("fast", max_examples=20, derandomize=True)
settings_of_hypothesis.register_profile("default", max_examples=50, derandomize=True)
settings_of_hypothesis.register_profile("soak", max_examples=2000)
settings_of_hypothesis.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the test with its kind, before `-m` chooses."""
    kinds.mark(item)


@pytest.hookimpl(trylast=True)  # after the order was shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that start whole systems first: then no process waits for one of them at the end."""
    last = len(LONGEST_FIRST)
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.name) if item.path.name in LONGEST_FIRST else last)
    for item in items:
        _keep_in_group(item)


def _keep_in_group(item: pytest.Item) -> None:
    """Add the name of the test's `xdist_group` to its node id, by which pytest-xdist finds the group.

    pytest-xdist 3.8 sets an attribute that pytest 9.2 no longer reads, so tests of a group would run in any process.
    """
    group = item.get_closest_marker("xdist_group")
    if group is not None and item.config.getoption("loadgroup", False) and "@" not in item.nodeid:
        assert item.parent is not None
        item._id = item.parent.id.child(f"{item.name}@{group.args[0]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch what unit tests do, also in their fixtures."""
    with kinds.kept_apart(item):
        return (yield)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Give each process of the test run a database of its own, on disk, so that threads share it."""
    options = connection.settings_dict.setdefault("OPTIONS", {})
    if connection.vendor == "sqlite":  # test data need not be durable
        options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=NORMAL")
    else:
        options["options"] = "-c synchronous_commit=off"
    folder = tmp_path_factory.getbasetemp()
    run_dir = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with django_db_blocker.unblock(), test_database(name_of(VAR_DIR), run_dir):
        yield


@pytest.fixture(scope="session")
def cloudlet_server() -> Iterator[RunningCloudlet]:
    """Start a real cloudlet where the settings expect it, for the whole run of this process."""
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
    """Return the running cloudlet. Tickets have random ids, so tests need not clean it up after themselves."""
    return cloudlet_server


@pytest.fixture(autouse=True)
def _no_outages_remembered() -> None:
    """Reset the concurrency limiter and the circuit breaker, which an earlier test may have tripped."""
    gateway.limiter.reset()
    dispatch.circuit_breaker.reset()


@pytest.fixture(autouse=True)
def network_out_of_place() -> Iterator[list[str]]:
    """Fail a test in which a request or a transaction waits for the network. Yield the calls that would have waited."""
    with network_guard() as found:
        yield found
    assert not found


@pytest.fixture(autouse=True)
def _no_messages_from_before() -> None:
    """Empty the default broker, so that no worker processes what earlier tests sent."""
    for message in (VAR_DIR / "broker" / "messages").iterdir():
        message.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _no_requests_counted() -> None:
    """Empty the cache, where rate limits are counted: rolling back a transaction does not reset them."""
    cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _equal_pictures_are_prepared_once() -> Iterator[None]:
    """Start one process for each picture that tests upload, not one for each upload."""
    with mock.patch.object(event_images, "prepare", functools.cache(event_images.prepare)):
        yield


@pytest.fixture(scope="session", autouse=True)
def _settings_of_tests() -> Iterator[None]:
    """Use plain names of static files (a test that serves them collects them itself), and a fast password hash."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    hasher = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}, PASSWORD_HASHERS=[hasher]):
        yield
