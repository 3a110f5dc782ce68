"""One server for a whole test run, driven by the official Python SDK."""

from collections.abc import Iterator

import cloudinary
import pytest

from cloudlet.testing import RunningCloudlet, running_cloudlet


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RunningCloudlet]:
    with running_cloudlet(options=["--remote-host", "127.0.0.1"]) as server:
        yield server


@pytest.fixture
def server(shared_server: RunningCloudlet) -> Iterator[RunningCloudlet]:
    """The shared server, with the SDK pointed at it."""
    cloudinary.reset_config()
    cloudinary.config(**shared_server.sdk_config)
    yield shared_server
    cloudinary.reset_config()
