"""Sends the work for tickets to Celery once the transaction is through."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.jobs import dispatch

TICKETS_A_TASK = 100


def publish_soon(ticket_pks: Sequence[int], *, bulk: bool = False, a_task: int = TICKETS_A_TASK) -> None:
    """Have the tickets' files made after commit. `bulk` work waits behind the tickets that one person waits for."""
    for start in range(0, len(ticket_pks), a_task):
        chunk = list(ticket_pks[start : start + a_task])
        dispatch.send_after_commit("apps.events.tasks.publish", [chunk], _queue(bulk))


def queue_length(*, bulk: bool) -> int | None:
    """How many tasks wait in the queue for a worker, or None when the broker does not answer."""
    return dispatch.tasks_waiting(_queue(bulk))


def _queue(bulk: bool) -> str:
    return dispatch.BULK if bulk else dispatch.INTERACTIVE
