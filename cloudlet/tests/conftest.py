"""A server for the tests, driven by the official Python SDK: one for a whole run, or one of a module's own."""

from collections.abc import Iterator, Sequence

import cloudinary
import pytest

from cloudlet.testing import RunningCloudlet, running_cloudlet


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RunningCloudlet]:
    with running_cloudlet(options=["--remote-host", "127.0.0.1"]) as server:
        yield server


@pytest.fixture(scope="module")
def server_options() -> Sequence[str] | None:
    """The options of a server for one module, which overrides this; None where the shared server will do."""
    return None


@pytest.fixture(scope="module")
def started_server(request: pytest.FixtureRequest, server_options: Sequence[str] | None) -> Iterator[RunningCloudlet]:
    """The server of the module, with no SDK pointed at it yet."""
    if server_options is None:
        yield request.getfixturevalue("shared_server")
        return
    with running_cloudlet(options=server_options) as server:
        yield server


@pytest.fixture
def server(started_server: RunningCloudlet) -> Iterator[RunningCloudlet]:
    """The module's server, with the SDK pointed at it."""
    cloudinary.reset_config()
    cloudinary.config(**started_server.sdk_config)
    yield started_server
    cloudinary.reset_config()
