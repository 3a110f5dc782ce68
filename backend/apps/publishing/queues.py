"""Send the work for tickets to Celery after commit."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.jobs import dispatch

TICKETS_PER_TASK = 100


def publish_soon(ticket_pks: Sequence[int], *, bulk: bool = False, per_task: int = TICKETS_PER_TASK) -> None:
    """Send tasks that publish the tickets, after commit. `bulk` tasks go to the queue with lower priority."""
    for start in range(0, len(ticket_pks), per_task):
        pks = list(ticket_pks[start : start + per_task])
        dispatch.send_after_commit("apps.events.tasks.publish", [pks], _queue(bulk))


def queue_length(*, bulk: bool) -> int | None:
    """Return the number of tasks in the queue, or None if the broker does not answer."""
    return dispatch.tasks_waiting(_queue(bulk))


def _queue(bulk: bool) -> str:
    return dispatch.BULK if bulk else dispatch.INTERACTIVE
