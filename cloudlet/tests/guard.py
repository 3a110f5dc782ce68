"""Keeps unit tests to what they are: they start no process and use no network.

conftest.py uses it. A socket pair, as the event loops of asyncio have one, is not the network.
"""

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
"""The violations in each block that is being guarded; blocks may nest, and the last one counts."""


class UnitTestViolation(Exception):  # noqa: N818 - a violation is an error
    """A unit test started a process or used the network."""


@contextlib.contextmanager
def no_process_no_network() -> Iterator[None]:
    """Raise UnitTestViolation at each forbidden event in the block, and at its end if the code swallowed that."""
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
