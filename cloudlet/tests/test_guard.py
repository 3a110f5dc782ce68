"""Unit tests cannot start a process or use the network."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from guard import UnitTestViolation, no_process_no_network


def caught_error() -> None:
    with contextlib.suppress(UnitTestViolation):
        socket.create_connection(("127.0.0.1", 9))


def bound_socket() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


FORBIDDEN: dict[str, Callable[[], object]] = {
    "process": lambda: subprocess.run([sys.executable, "--version"], check=False),
    "fork": os.fork,
    "connection": lambda: socket.create_connection(("127.0.0.1", 9)),
    "connection whose error is caught": caught_error,
    "listening socket": bound_socket,
    "lookup of a name": lambda: socket.getaddrinfo("localhost", 80),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_process_and_network_are_refused(name: str, request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("unit")
    with pytest.raises(UnitTestViolation, match="Mark it with"), no_process_no_network():
        FORBIDDEN[name]()


def test_event_loop_is_allowed() -> None:
    with no_process_no_network():
        assert asyncio.run(asyncio.sleep(0, "done")) == "done"
