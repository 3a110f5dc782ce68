"""Sends work to Celery once the transaction is through. Tasks are named, not imported: they call into the domain."""

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
AWAY = 5.0  # seconds for which a broker that did not answer is left alone

_asked_again_at = 0.0


def send_after_commit(task: str, arguments: list[object], queue: str) -> None:
    """Send the task once the transaction is through."""
    transaction.on_commit(partial(send, task, arguments, queue))


class _Rounds(threading.local):
    """How often `send_once` has sent each task, in this thread."""

    def __init__(self) -> None:
        self.number: Counter[tuple[str, str]] = Counter()


_rounds = _Rounds()


def send_once(task: str, queue: str) -> None:
    """Send the task, which takes no arguments, after commit: once, however often the transaction asks for it.

    Each call registers a callback, because a savepoint that is rolled back drops those that were registered in it. The
    first callback that runs sends the task for all of its round.
    """
    transaction.on_commit(partial(_send_in_round, _rounds.number[task, queue], task, queue))


def _send_in_round(number: int, task: str, queue: str) -> None:
    if number == _rounds.number[task, queue]:
        _rounds.number[task, queue] += 1
        send(task, [], queue)


def tasks_waiting(queue: str) -> int | None:
    """Return how many tasks wait in the queue for a worker, or None when the broker does not answer."""
    try:
        with current_app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors:
                return 0  # nobody has used the queue yet
    except (OperationalError, OSError) as error:
        logger.debug("The broker did not say how long the queue is: %s", error)
        return None


def send(task: str, arguments: list[object], queue: str) -> None:
    """Hand one task to the broker. If it is down, the database still says what is due, and the task is sent again.

    Who found it silent has waited for that, in somebody's request perhaps; so nobody of this process asks it again for
    a moment.
    """
    global _asked_again_at
    if time.monotonic() < _asked_again_at:
        logger.debug("%s was not sent: the broker is away; it will be sent again.", task)
        return
    try:
        current_app.send_task(task, args=arguments, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        _asked_again_at = time.monotonic() + AWAY
        logger.warning("The broker did not take %s (%s); it will be sent again.", task, error)


def forget_outage() -> None:
    """Ask the broker again at once."""
    global _asked_again_at
    _asked_again_at = 0.0
