"""A crowd's tickets in the queue, and workers that make them, as docs/how-to/from-one-machine-to-many.md starts them.

cloudlet is as important as the workers: it stands for a service on other machines, whose work would take nothing from
this one.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from harness import System
from priorities import Priority, give
from tests.factories import make_event
from tests.workers import BACKEND, environment, python_command, stop, wait_until, worker_arguments

from apps.core.jobs import dispatch
from apps.events import issuing
from apps.events.models import Event, EventTicket

ISSUED_AT_ONCE = 2000


def issue(number: int) -> Event:
    """An event with so many tickets, whose work is in the queue."""
    event = make_event()
    for start in range(0, number, ISSUED_AT_ONCE):
        size = min(ISSUED_AT_ONCE, number - start)
        issuing.issue_many(event, [issuing.Holder(name=f"Guest {start + n}") for n in range(size)])
    return event


def ready(event: Event) -> int:
    return event.tickets.filter(state=EventTicket.State.READY).count()


def is_done(event: Event) -> bool:
    return not event.tickets.exclude(state=EventTicket.State.READY).exists()


@contextlib.contextmanager
def working(
    servers: System,
    queues: str,
    number: int = 1,
    priority: Priority = Priority.ORDINARY,
    group: Path | None = None,
) -> Iterator[None]:
    """So many worker processes for the queues. `group` is the control group of those that are idle."""
    storage = servers.cloudlet.process.pid
    give(storage, priority, group)
    crew = [_hire(servers, queues, priority, group) for _ in range(number)]
    try:
        yield
    finally:
        for worker in crew:
            stop(worker, signal.SIGKILL)  # what they leave undone is forgotten
        give(storage, Priority.ORDINARY, group)


def _hire(servers: System, queues: str, priority: Priority, group: Path | None) -> subprocess.Popen[bytes]:
    arguments = ("-A", "config", "--quiet", *worker_arguments(queues))
    return start(servers, "celery", *arguments, priority=priority, group=group)


def start(
    servers: System,
    module: str,
    *arguments: str,
    priority: Priority = Priority.ORDINARY,
    group: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A Python program of the backend, at that priority."""
    command = ["nice", "-n", str(priority.niceness), *python_command(module, *arguments)]
    environ = environment(servers.broker.url)
    process = subprocess.Popen(command, cwd=BACKEND, env=environ, start_new_session=True)
    if priority is Priority.IDLE:
        give(process.pid, priority, group)
    return process


def forget(event: Event) -> None:
    """The event's tickets, and what is queued for them, without the work of deleting files one by one."""
    EventTicket.objects.filter(event=event)._raw_delete(connection.alias)
    with dispatch.current_app.connection_for_write() as broker:
        for queue in (dispatch.INTERACTIVE, dispatch.BULK):
            with contextlib.suppress(broker.channel_errors):  # nobody has used it yet
                broker.default_channel.queue_purge(queue)


def under_way(event: Event) -> None:
    """Wait until the workers are awake and at it."""
    wait_until(lambda: ready(event) >= 100 or is_done(event), 120, "the crowd's first tickets ready")
