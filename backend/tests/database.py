"""The databases of a test run: migrated once, copied for every process, and emptied quickly after each test."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction
from django.db.models import Count, Max
from django.test import testcases
from psycopg import sql

# Django fills these tables after a migration, which takes a quarter of a second. Keep them while unchanged.
FILLED_BY_DJANGO = ("contenttypes.ContentType", "auth.Permission")


@contextmanager
def test_database(name: str, run_dir: Path) -> Iterator[None]:
    """Make a database of this name, connect to it, and drop it afterwards.

    `run_dir` is a folder that the processes of a run share. The first process migrates a database, of which the others
    make copies.
    """
    global _migrated  # noqa: PLW0603 # as many as there are databases of this process: one
    record = run_dir / f"migrated.{connection.vendor}"
    with open(run_dir / f"{connection.vendor}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection.settings_dict["TEST"]["NAME"] = name
        if record.exists():
            settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
            Snapshot(record.read_text()).restore()
        else:
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        # Each process has a copy of its own, because the first may end, and drop its copy, while others still run.
        _migrated = Snapshot.take("migrated")
        if not record.exists():
            record.write_text(_migrated.name)
    with _quick_flush():
        yield
    connection.close()
    for snapshot in _taken:
        _drop(snapshot.name)
    _drop(name)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of this process's database, by the copy's name. It is dropped when the tests end."""

    name: str

    @classmethod
    def take(cls, label: str) -> Snapshot:
        """Copy the database as it is now. On PostgreSQL, this ends all other connections to it."""
        connection.close()
        snapshot = cls(f"{connection.settings_dict['NAME']}_{label}")
        _copy(connection.settings_dict["NAME"], snapshot.name)
        _taken.append(snapshot)
        return snapshot

    def restore(self) -> None:
        """Recreate the database from the copy."""
        name = connection.settings_dict["NAME"]
        connection.close()
        _drop(name)
        _copy(self.name, name)
        ContentType.objects.clear_cache()


_taken: list[Snapshot] = []
_migrated: Snapshot | None = None


def restore_migrated() -> None:
    """Recreate the empty database with today's tables after a test of migrations."""
    assert _migrated is not None
    _migrated.restore()


def _copy(source: str, target: str) -> None:
    if connection.vendor == "postgresql":
        # PostgreSQL copies no database that is in use, and threads and processes of earlier tests are slow to leave.
        _execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {sql.quote(source)}"  # noqa: S608
            " AND pid <> pg_backend_pid()"
        )
        _execute("CREATE DATABASE {} TEMPLATE {}", target, source)
    else:
        # Use SQLite's backup, not a copy of the file: committed rows may still be in the write-ahead log.
        with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
            old.backup(new)


def _drop(name: str) -> None:
    if connection.vendor == "postgresql":
        # FORCE: connections of killed processes may still be open.
        _execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    else:
        for ending in ("", "-wal", "-shm"):
            Path(f"{name}{ending}").unlink(missing_ok=True)


def _execute(statement: str, *names: str) -> None:
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
        statements = [f"DELETE FROM {quote(table)}" for table in sorted(tables)]  # noqa: S608 # our own tables
        if connection.vendor == "postgresql":
            statements = ["; ".join(statements)]  # one round trip
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
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
