"""Forbid processes and the network in unit tests. Socket pairs, which event loops need, are allowed."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

# Audit events of the interpreter: https://docs.python.org/3/library/audit_events.html
FORBIDDEN_EVENTS = frozenset(
    {
        "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen", "socket.bind",
        "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.sendto",
    }
)  # fmt: skip

_blocks: list[list[str]] = []
"""The violations in each guarded block. Blocks may be nested; violations belong to the innermost."""


class UnitTestViolation(Exception):  # noqa: N818 - a violation is an error
    """A unit test started a process or used the network."""


@contextlib.contextmanager
def no_process_no_network() -> Iterator[None]:
    """Raise UnitTestViolation at a forbidden event in the block, and again at its end if the code caught that."""
    violations: list[str] = []
    _blocks.append(violations)
    try:
        yield
    finally:
        _blocks.pop()
    if violations:
        raise UnitTestViolation(violations[0])


def _check(event: str, _: tuple[Any, ...]) -> None:
    if _blocks and event in FORBIDDEN_EVENTS:
        violation = (
            f"{event} in a unit test, which starts no process and uses no network. "
            "Mark it with @pytest.mark.integration, or take a server from a fixture of conftest.py."
        )
        _blocks[-1].append(violation)
        raise UnitTestViolation(violation)


sys.addaudithook(_check)
