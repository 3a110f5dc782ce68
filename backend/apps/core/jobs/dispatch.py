"""Sends work to Celery once the transaction is through. Tasks are named, not imported: they call into the domain."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery import current_app
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger("apps.events.publishing.dispatch")

TICKETS_A_TASK = 100
INTERACTIVE, BULK = "interactive", "bulk"
AWAY = 5.0  # seconds for which a broker that did not answer is left alone
GOOGLE_CLASS_PAUSE_SECONDS = 60

_asked_again_at = 0.0


def publish_soon(ticket_pks: Sequence[int], *, bulk: bool = False, a_task: int = TICKETS_A_TASK) -> None:
    """Have the tickets' files made after commit. `bulk` work waits behind the tickets that one person waits for."""
    for start in range(0, len(ticket_pks), a_task):
        chunk = list(ticket_pks[start : start + a_task])
        transaction.on_commit(partial(_send, "apps.events.tasks.publish", [chunk], _queue(bulk)))


def delete_soon() -> None:
    """Have the outbox of deletions emptied after commit: by one task, however many files the transaction owes it."""
    send_once("apps.events.tasks.delete_due", BULK)


def send_once(task: str, queue: str) -> None:
    """Send the task, which takes no arguments, after commit: once, however often the transaction asks for it."""
    arguments: tuple[str, list[object], str] = (task, [], queue)
    waiting = transaction.get_connection().run_on_commit
    if all(getattr(callback, "args", None) != arguments for _, callback, *_ in waiting):
        transaction.on_commit(partial(_send, *arguments))


def examine_soon(examination_pk: int) -> None:
    """Have storage compared with the database after commit, behind the work for tickets."""
    transaction.on_commit(partial(_send, "apps.events.tasks.examine", [examination_pk], BULK))


def create_google_class_soon(event_pk: int) -> None:
    """Have the class of the event's passes created at Google after commit: at most once a minute for each event.

    Processes count together if they share a cache. Whatever goes wrong is logged and costs the caller nothing: the
    next link that is asked for sends it again.
    """

    def send() -> None:  # a function of its own: Django logs what fails in a callback by its name
        if cache.add(f"google-wallet-class:{event_pk}", 1, timeout=GOOGLE_CLASS_PAUSE_SECONDS):
            _send("apps.events.tasks.create_google_class", [event_pk], BULK)

    transaction.on_commit(send, robust=True)


def queue_length(*, bulk: bool) -> int | None:
    """How many tasks wait in the queue for a worker, or None when the broker does not answer."""
    return tasks_waiting(_queue(bulk))


def tasks_waiting(queue: str) -> int | None:
    """As `queue_length`, for a queue by its name."""
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


def _queue(bulk: bool) -> str:
    return BULK if bulk else INTERACTIVE


def _send(task: str, arguments: list[object], queue: str) -> None:
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
