"""Markers of tests, and servers for them.

Each test has exactly one of four markers. Unless one is written at the test or its module, the fixtures of the test
decide between the first three:

- ``unit``: starts no process and uses no network. A unit test that does so fails.
- ``integration``: uses a server or other processes.
- ``system``: uses a browser or the programs of SDK makers, or puts load on a server.
- ``soak``: takes long. These tests are deselected unless ``-m soak`` is given.
"""

import contextlib
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import cloudinary
import profiles  # noqa: F401 - registers the Hypothesis profiles
import pytest
from deliveries import AUTH_TOKEN_KEY
from guard import no_process_no_network
from servers import threaded_cloudlet

from cloudlet.testing import RunningCloudlet, running_cloudlet

MARKERS = ("unit", "integration", "system", "soak")
INTEGRATION_FIXTURES = frozenset({"server", "started_server", "shared_server"})
SYSTEM_FIXTURES = frozenset({"page"})

# Where bytecode files are turned off, every process that a test starts would compile all modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        written = [name for name in MARKERS if item.get_closest_marker(name)]
        if len(written) > 1:
            raise pytest.UsageError(f"{item.nodeid} has more than one of the markers {', '.join(written)}")
        if not written:
            item.add_marker(_marker_by_fixtures(item))


def _marker_by_fixtures(item: pytest.Item) -> str:
    fixtures = set(getattr(item, "fixturenames", ()))
    if fixtures & SYSTEM_FIXTURES:
        return "system"
    return "integration" if fixtures & INTEGRATION_FIXTURES else "unit"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    with _guarded(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    with _guarded(item):
        return (yield)


def _guarded(item: pytest.Item) -> contextlib.AbstractContextManager[None]:
    return no_process_no_network() if item.get_closest_marker("unit") else contextlib.nullcontext()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests of a module to one worker, so that it starts the module's server once."""
    from xdist.scheduler import LoadScopeScheduling

    return LoadScopeScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RunningCloudlet]:
    """Start a server process for all tests that need no other options."""
    with running_cloudlet(options=["--remote-host", "127.0.0.1", "--auth-token-key", AUTH_TOKEN_KEY]) as server:
        yield server


@pytest.fixture(scope="module")
def server_options() -> Sequence[str] | None:
    """Return the options of the module's own server. A module overrides this; None means the shared server."""
    return None


@pytest.fixture(scope="module")
def started_server(request: pytest.FixtureRequest, server_options: Sequence[str] | None) -> Iterator[RunningCloudlet]:
    """Start the module's server, or take the shared one, without configuring the SDK."""
    if server_options is None:
        yield request.getfixturevalue("shared_server")
        return
    with threaded_cloudlet(*server_options) as server:
        yield server


@pytest.fixture
def server(started_server: RunningCloudlet) -> Iterator[RunningCloudlet]:
    """Return the module's server after configuring the SDK for it."""
    cloudinary.reset_config()
    cloudinary.config(**started_server.sdk_config)
    yield started_server
    cloudinary.reset_config()
