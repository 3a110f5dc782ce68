"""Work that goes on after the answer."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("cloudlet")

_running: set[asyncio.Task[None]] = set()


def run_later(work: Coroutine[Any, Any, None]) -> None:
    """Starts ``work`` on the running loop and keeps hold of it until it ends."""
    task = asyncio.get_running_loop().create_task(work)
    _running.add(task)
    task.add_done_callback(_finished)


def _finished(task: asyncio.Task[None]) -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        log.warning("work in the background failed: %s", task.exception())
