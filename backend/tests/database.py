"""The database of a test run: migrated once, copied for every process, and emptied quickly after a test that commits."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction
from django.db.models import Count, Max
from django.test import testcases
from psycopg import sql

# Django fills these tables after a migration, which takes it a quarter of a second. They are kept while unchanged.
FILLED_BY_DJANGO = ("contenttypes.ContentType", "auth.Permission")


@contextmanager
def test_database(name: str, run_dir: Path) -> Iterator[None]:
    """Make a database of this name, connect to it, and drop it afterwards.

    `run_dir` is a folder that the processes of a run share. The first process migrates a database and keeps a copy as
    the template; the others copy the template.
    """
    with open(run_dir / f"{connection.vendor}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        template = _Template(run_dir, name)
        connection.settings_dict["TEST"]["NAME"] = name
        if template.exists():
            connection.close()
            template.copy_to(name)
            settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        else:
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            connection.close()
            template.make_from(name)
    with _quick_flush():
        yield
    connection.close()
    template.drop(name)


class _Template:
    """The migrated database that the processes of this run copy. Its maker drops it."""

    def __init__(self, run_dir: Path, name: str) -> None:
        self._record = run_dir / f"template.{connection.vendor}"
        self._name = name
        self._is_ours = False

    def exists(self) -> bool:
        return self._record.exists()

    def copy_to(self, name: str) -> None:
        if connection.vendor == "postgresql":
            self._execute("CREATE DATABASE {} TEMPLATE {}", name, self._record.read_text())
        else:
            shutil.copyfile(self._record, name)

    def make_from(self, name: str) -> None:
        self._is_ours = True
        if connection.vendor == "postgresql":
            self._execute("CREATE DATABASE {} TEMPLATE {}", f"{name}_template", name)
            self._record.write_text(f"{name}_template")
        else:
            shutil.copyfile(name, self._record)

    def drop(self, name: str) -> None:
        if connection.vendor == "postgresql":
            # FORCE: processes that tests have killed are slow to leave.
            self._execute("DROP DATABASE {} WITH (FORCE)", name)
            if self._is_ours:
                self._execute("DROP DATABASE {}", f"{name}_template")

    def _execute(self, statement: str, *names: str) -> None:
        values = connection.get_connection_params() | {"dbname": "postgres"}
        parameters = {key: values[key] for key in ("host", "port", "user", "password", "dbname") if values.get(key)}
        with psycopg.connect(**parameters, autocommit=True, connect_timeout=10) as server:
            server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def _quick_flush() -> Iterator[None]:
    """Delete rows after a test that commits, instead of calling Django's `flush`, and leave what Django filled.

    Django's foreign keys are checked at the end of the transaction, so the order of the tables does not matter.
    """
    filled = [apps.get_model(name) for name in FILLED_BY_DJANGO]

    def state() -> list[Any]:
        return [model._default_manager.aggregate(Count("pk"), Max("pk")) for model in filled]

    def call_command(name: str, *_: Any, **options: Any) -> None:
        assert name == "flush", f"Django's tests call {name} too"
        is_unchanged = state() == before
        kept = {model._meta.db_table for model in filled} if is_unchanged else set()
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - kept
        quote = connection.ops.quote_name
        with transaction.atomic(), connection.cursor() as cursor:
            for table in sorted(tables):
                cursor.execute(f"DELETE FROM {quote(table)}")  # noqa: S608 # our own tables
        if not is_unchanged:
            emit_post_migrate_signal(0, False, "default")
            before[:] = state()

    before = state()
    with mock.patch.object(testcases, "call_command", call_command):
        yield


def name_of(var_dir: Path) -> str:
    """Return the name of the database of this process."""
    if connection.vendor == "postgresql":
        return f"test_admit_{os.getpid()}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    return str(var_dir / "test.sqlite3")
