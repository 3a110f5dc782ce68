"""Run worker processes on the database, the broker and the cloudlet of a test."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from unittest import mock
from urllib.parse import quote

import urllib3
from celery import Celery
from django.conf import settings
from django.db import connection

from apps.core.jobs import dispatch
from apps.events.models import EventTicket
from apps.publishing import pipeline
from cloudlet.testing import RunningCloudlet

_numbers = itertools.count(1)
QUIETLY = ("--without-gossip", "--without-mingle", "--without-heartbeat")
BACKEND = Path(__file__).resolve().parent.parent


def database_url() -> str:
    """Return the URL with which another process can connect to the database of this test."""
    return url_of(connection.settings_dict)


def url_of(database: Mapping[str, Any]) -> str:
    """Return the URL of an entry of DATABASES. The host of PostgreSQL may be the folder of its socket."""
    name = quote(str(database["NAME"]))
    if database["ENGINE"] == "django.db.backends.sqlite3":
        return f"sqlite:///{name}"
    host = database["HOST"] or database["OPTIONS"].get("host", "")
    host = f"[{host}]" if ":" in host else quote(host, safe="")
    account = ":".join(quote(database[part], safe="") for part in ("USER", "PASSWORD") if database[part])
    port = f":{database['PORT']}" if database["PORT"] else ""
    return f"postgres://{account}@{host}{port}/{name}"


def environment(broker_url: str) -> dict[str, str]:
    """Return the environment of a process that uses the database, storage and broker of the test."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": broker_url,
        "CLOUDLET_PORT": str(settings.CLOUDLET_PORT),
        "PYTHONWARNINGS": "ignore",
        "LOG_LEVEL": "WARNING",
    }


@contextlib.contextmanager
def working(broker_url: str, queues: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Celery worker as docs/how-to/from-one-machine-to-many.md describes it."""
    process = start_worker(broker_url, queues, *options)
    try:
        yield process
    finally:
        stop(process)


def start_worker(
    broker_url: str, queues: str, *options: str, log: IO[bytes] | None = None, **variables: str
) -> subprocess.Popen[bytes]:
    """Start a worker. `log` receives its output, `variables` are added to its environment."""
    arguments = ["-A", "config", "--quiet", *worker_arguments(queues), *options]
    return start_python(broker_url, "celery", *arguments, stdout=log, stderr=log, variables=variables)


def worker_arguments(queues: str, pool: str = "prefork") -> list[str]:
    name = f"{queues}-{next(_numbers)}@%h"
    return ["worker", "--queues", queues, "--hostname", name, "--concurrency", "1", "--pool", pool, *QUIETLY]


def start_python(
    broker_url: str, module: str, *arguments: str, variables: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a Python program on the database, storage and broker of this test. End it with `stop()`."""
    env = {**environment(broker_url), **(variables or {})}
    command = python_command(module, *arguments)
    return subprocess.Popen(command, cwd=BACKEND, env=env, start_new_session=True, **options)


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal to the process and its children, and kill them after 20 seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def python_command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


@contextlib.contextmanager
def sending_to(broker_url: str) -> Iterator[None]:
    """Make this process send its tasks to the broker."""
    with mock.patch.dict(os.environ, {"CELERY_BROKER_URL": broker_url}):  # Celery prefers the variable to its options
        app = Celery("tests", set_as_current=False)
        with mock.patch.object(dispatch, "current_app", app):
            yield
    app.close()


def publish(pk: int) -> EventTicket.State | None:
    """Publish one ticket as a worker does. Return its state, or None if it could not be claimed."""
    attempt = pipeline.publish_many([pk]).get(pk)
    return None if attempt is None else attempt.state


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for the condition. Raise AssertionError with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} not within {seconds} s"
        time.sleep(0.05)


@contextlib.contextmanager
def faults(server: RunningCloudlet, rules: Sequence[dict[str, object]], seed: int = 1) -> Iterator[None]:
    """Inject faults into cloudlet by these rules."""
    set_faults(server, rules, seed)
    try:
        yield
    finally:
        set_faults(server, [], seed)


def set_faults(server: RunningCloudlet, rules: Sequence[dict[str, object]], seed: int = 1) -> None:
    answer = urllib3.request(
        "PUT",
        f"{server.url}/_cloudlet/faults",
        json={"seed": seed, "rules": list(rules)},
        headers=urllib3.make_headers(basic_auth=f"{server.api_key}:{server.api_secret}"),
        timeout=10,
    )
    assert answer.status == 200, answer.data
