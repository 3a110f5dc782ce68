"""Turn the garbage collector off while pytest imports Django and the tests: it would take a second and free nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Turn it on again for the tests, without the objects that stay until the end of the run."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)  # rarer than by default, which took a twentieth of the time
        gc.enable()


def pytest_unconfigure() -> None:
    """Let Python free all objects when it ends: extension modules report objects that it does not free."""
    gc.unfreeze()
