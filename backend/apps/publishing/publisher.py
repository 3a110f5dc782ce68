"""From a committed row to files on storage: render, upload, write down, a task's worth of tickets at once.

A wish for files is a row in state `pending`; whoever claims it (see `claims.py`) makes the files. Anything may die at
any point: the lease runs out, and the sweep (see `sweep.py`) finds the row again. Uploading twice does no harm, since
the row says where the files belong.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence

from apps.storage import gateway
from ticketkit import RenderingError

from . import claims, queues
from .outcomes import Attempt
from .pipeline import Pipeline

# A task ends after so many seconds and hands what is left back to the queue: brokers take a task that runs for much
# longer for dead, and a worker that shuts down waits for its tasks.
TASK_SECONDS = 60.0


def publish_many(pks: Sequence[int], seconds: float = TASK_SECONDS) -> dict[int, Attempt]:
    """Make and store both files of the tickets that are owed and that nobody else is at, in bounded memory.

    Safe to run any number of times at once. Failures of rendering and of storage end in the row (state, reason, next
    attempt), not in an exception. Answers what became of the tickets that were claimed. Those that `seconds` don't
    suffice for go back to the queue. An error in the program spoils its own ticket only; the first one is raised when
    all the others are done.
    """
    attempts = dict(publish_each(pks, seconds))
    for attempt in attempts.values():
        if attempt.error is not None and not isinstance(attempt.error, (RenderingError, gateway.MediaError)):
            raise attempt.error
    return attempts


def publish_each(
    pks: Sequence[int], seconds: float = float("inf"), at_once: int | None = None
) -> Iterator[tuple[int, Attempt]]:
    """As `publish_many`, answering each ticket that was claimed as soon as it is done, and raising nothing.

    What is under way when the caller loses interest is finished.
    """
    ends_at = time.monotonic() + seconds
    waiting = deque(pks)
    line = Pipeline(at_once=at_once)
    try:
        while waiting or line.is_busy:
            held = gateway.gate.held_for()
            if waiting and (held > gateway.PATIENCE or time.monotonic() > ends_at):
                _hand_back(list(waiting), held)
                waiting.clear()
            if waiting and (room := line.room()):
                line.begin([waiting.popleft() for _ in range(min(room, len(waiting)))])
            yield from line.collect().items()
    finally:
        while line.is_busy:
            line.collect()


def _hand_back(pks: Sequence[int], held: float) -> None:
    if held > 0:
        claims.put_off(pks, held)
    else:
        queues.publish_soon(pks, bulk=True)
