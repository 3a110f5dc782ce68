"""Send tasks to Celery after commit. Tasks are sent by name, so that this package does not import the domain."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger("apps.events.publishing.dispatch")

INTERACTIVE, BULK = "interactive", "bulk"
OUTAGE_PAUSE_SECONDS = 5.0


class _CircuitBreaker:
    """Skips the broker for a moment after it did not answer.

    Otherwise every request during an outage would wait for the connection timeout.
    """

    def __init__(self) -> None:
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self._open_until

    def trip(self) -> None:
        self._open_until = time.monotonic() + OUTAGE_PAUSE_SECONDS

    def reset(self) -> None:
        self._open_until = 0.0


circuit_breaker = _CircuitBreaker()


def send_after_commit(task: str, arguments: list[object], queue: str) -> None:
    """Send the task after the current transaction commits."""
    transaction.on_commit(partial(send, task, arguments, queue))


class _Rounds(threading.local):
    """How often `send_once` has sent each task, in this thread."""

    def __init__(self) -> None:
        self.number: Counter[tuple[str, str]] = Counter()


_rounds = _Rounds()


def send_once(task: str, queue: str) -> None:
    """Send the task, without arguments, after commit: once, however often the transaction asks for it.

    Each call registers a callback, because rolling back a savepoint drops the callbacks that were registered in it. The
    first callback that runs sends the task, and the others of the same round do nothing.
    """
    transaction.on_commit(partial(_send_in_round, _rounds.number[task, queue], task, queue))


def _send_in_round(number: int, task: str, queue: str) -> None:
    if number == _rounds.number[task, queue]:
        _rounds.number[task, queue] += 1
        send(task, [], queue)


def tasks_waiting(queue: str) -> int | None:
    """Return the number of tasks in the queue, or None if the broker does not answer."""
    try:
        with current_app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors:
                return 0  # the queue has not been declared yet
    except (OperationalError, OSError) as error:
        logger.debug("The broker did not say how long the queue is: %s", error)
        return None


def send(task: str, arguments: list[object], queue: str) -> None:
    """Send one task to the broker now.

    If the broker is down, log a warning and return: the row in the database is the outbox, and a sweep sends the task
    again. The circuit breaker then skips the broker for OUTAGE_PAUSE_SECONDS.
    """
    if circuit_breaker.is_open:
        logger.debug("%s was not sent: the broker is down; a sweep will send it again.", task)
        return
    try:
        current_app.send_task(task, args=arguments, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        circuit_breaker.trip()
        logger.warning("The broker did not take %s (%s); a sweep will send it again.", task, error)
