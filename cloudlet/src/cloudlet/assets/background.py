"""Run tasks that continue after the response."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("cloudlet")

_running: set[asyncio.Task[None]] = set()


def run_in_background(work: Coroutine[Any, Any, None]) -> None:
    """Start ``work`` on the running event loop, and keep a reference to the task until it ends."""
    task = asyncio.get_running_loop().create_task(work)
    _running.add(task)
    task.add_done_callback(_finished)


def _finished(task: asyncio.Task[None]) -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        log.warning("work in the background failed: %s", task.exception())
