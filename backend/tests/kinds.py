"""Kinds of tests: `unit`, `integration` and `system`. A unit test that starts a process or uses the network fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

KINDS = ("unit", "integration", "system")
SYSTEM_FOLDER = Path(__file__).parent / "system"
# Fixtures that start a server: what uses one of them, also through another fixture, is no unit test.
SERVERS = {"cloudlet_server"}
STARTS_A_PROCESS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
USES_THE_NETWORK = {"socket.bind", "socket.connect", "socket.sendto"}

_unit_test: str | None = None


class NotAUnitTestError(AssertionError):
    """A test without a marker started a process or used the network."""


def mark(item: pytest.Item) -> None:
    """Give a test the marker of its kind, unless its module or the test itself has one."""
    if any(item.get_closest_marker(kind) for kind in KINDS):
        return
    if SYSTEM_FOLDER in item.path.parents:
        item.add_marker("system")
    elif SERVERS & set(getattr(item, "fixturenames", ())):
        item.add_marker("integration")
    else:
        item.add_marker("unit")


@contextmanager
def kept_apart(item: pytest.Item) -> Iterator[None]:
    """Fail a unit test that starts a process or uses the network."""
    global _unit_test  # noqa: PLW0603 # an audit hook can't be removed: it asks this
    _unit_test = item.nodeid if item.get_closest_marker("unit") else None
    try:
        yield
    finally:
        _unit_test = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _unit_test is not None and (event in STARTS_A_PROCESS or event in USES_THE_NETWORK):
        raise NotAUnitTestError(f"{_unit_test} raised {event}{arguments!r:.200}: mark it pytest.mark.integration")


sys.addaudithook(_audit)
