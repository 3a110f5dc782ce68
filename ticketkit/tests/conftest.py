"""Define Hypothesis profiles, and mark tests as `unit` or `integration`.

``HYPOTHESIS_PROFILE`` chooses the profile: ``fast``, ``default`` or ``soak``. Tests that start a process or use the
network are marked ``integration``. All others are marked ``unit`` here, and fail if they do either.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import settings

for _name, _max_examples in (("fast", 10), ("default", 50), ("soak", 2000)):
    settings.register_profile(_name, max_examples=_max_examples, deadline=None)
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
settings.load_profile(_PROFILE)

# Audit events of the interpreter; see https://docs.python.org/3/library/audit_events.html
_FORBIDDEN_IN_UNIT_TESTS = {"subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "socket.connect"}
_unit_test = ""

Case = TypeVar("Case")


def examples(share: float) -> int:
    """Return a share of the profile's number of examples, at least 1: ``@settings(max_examples=examples(0.1))``."""
    return max(1, round(share * settings().max_examples))


def sweep(cases: Sequence[Case], every: int) -> Sequence[Case]:
    """Return every n-th case; all cases under the profile ``soak``, and a third as many under ``fast``."""
    return cases[:: {"fast": 3 * every, "soak": 1}.get(_PROFILE, every)]


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not any(item.get_closest_marker(marker) for marker in ("integration", "system")):
            item.add_marker("unit")
        if _PROFILE == "soak":
            item.add_marker(pytest.mark.timeout(3600))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    global _unit_test  # noqa: PLW0603 an audit hook cannot be removed, so it asks whether it is wanted
    _unit_test = item.nodeid if item.get_closest_marker("unit") else ""
    try:
        return (yield)
    finally:
        _unit_test = ""


def _guard_unit_tests(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _FORBIDDEN_IN_UNIT_TESTS and _unit_test:
        raise RuntimeError(f"{_unit_test} causes {event}: mark it with @pytest.mark.integration")


sys.addaudithook(_guard_unit_tests)
