"""Queue a mass issue, and start workers for it as docs/how-to/from-one-machine-to-many.md does.

cloudlet gets the same priority as the workers: it stands for a service on other machines, which would use no CPU time
of this one.
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

BATCH_SIZE = 2000


def issue(number: int) -> Event:
    """Create an event, issue `number` tickets for it, and queue their files. Return the event."""
    event = make_event()
    for start in range(0, number, BATCH_SIZE):
        size = min(BATCH_SIZE, number - start)
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
    """Run `number` worker processes for the queues while the context lasts.

    `group` is the control group for `Priority.IDLE`.
    """
    storage = servers.cloudlet.process.pid
    give(storage, priority, group)
    workers = [_start_worker(servers, queues, priority, group) for _ in range(number)]
    try:
        yield
    finally:
        for worker in workers:
            stop(worker, signal.SIGKILL)  # their unfinished work is discarded
        give(storage, Priority.ORDINARY, group)


def _start_worker(servers: System, queues: str, priority: Priority, group: Path | None) -> subprocess.Popen[bytes]:
    arguments = ("-A", "config", "--quiet", *worker_arguments(queues))
    return start(servers, "celery", *arguments, priority=priority, group=group)


def start(
    servers: System,
    module: str,
    *arguments: str,
    priority: Priority = Priority.ORDINARY,
    group: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a Python module in the backend folder at that priority."""
    command = ["nice", "-n", str(priority.niceness), *python_command(module, *arguments)]
    environ = environment(servers.broker.url)
    process = subprocess.Popen(command, cwd=BACKEND, env=environ, start_new_session=True)
    if priority is Priority.IDLE:
        give(process.pid, priority, group)
    return process


def discard(event: Event) -> None:
    """Delete the event's tickets and purge the queues, without deleting files one by one."""
    EventTicket.objects.filter(event=event)._raw_delete(connection.alias)
    with dispatch.current_app.connection_for_write() as broker:
        for queue in (dispatch.INTERACTIVE, dispatch.BULK):
            with contextlib.suppress(broker.channel_errors):  # the queue does not exist yet
                broker.default_channel.queue_purge(queue)


def wait_until_started(event: Event) -> None:
    """Wait until the workers have published the first tickets."""
    wait_until(lambda: ready(event) >= 100 or is_done(event), 120, "the first bulk tickets ready")
