"""Test the database settings, and the database URLs that tests pass to other processes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import psycopg.conninfo
import pytest
from django.db import ConnectionHandler
from pytest_django import DjangoDbBlocker

from config import settings as module
from tests.environment import own_postgres_url
from tests.workers import url_of


def test_connections_to_a_server_are_persistent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting takes longer than all statements of a request."""
    monkeypatch.setenv("DATABASE_URL", "postgres://admit:password@db.example.org:5432/admit")
    database = module._database()
    assert database["CONN_MAX_AGE"] == 60
    assert database["CONN_HEALTH_CHECKS"]


def test_sqlite_commits_are_durable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as connection:
        connection.executescript(module._database()["OPTIONS"]["init_command"])
        modes = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]  # 2 is FULL


@pytest.mark.parametrize("folder", ["plain", "with space", "100%", "my #1 project", "what?", "a%20b", "Zoë"])
def test_sqlite_file_may_be_in_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setattr(module, "VAR_DIR", tmp_path / folder)
    assert module._database()["NAME"] == str(tmp_path / folder / "db.sqlite3")


@pytest.mark.parametrize("host", ["db.example.org", "127.0.0.1", "::1", "/run/postgresql", "/tmp/a b/100%", ""])  # noqa: S108
@pytest.mark.parametrize(("user", "password", "port"), [("ann", "", ""), ("a@b", "p/w:1?#%", 5433)])
def test_database_url_is_read_alike_by_django_and_postgresql(host: str, user: str, password: str, port: Any) -> None:
    """Tests pass such URLs to other processes. The host may be the folder of the server's socket."""
    parts = {"USER": user, "PASSWORD": password, "HOST": host, "PORT": port, "NAME": "one two"}
    url = url_of({"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}, **parts})
    assert urlsplit(url).port == (port or None)
    database = dj_database_url.parse(url)
    assert {name: database[name] for name in parts} == parts  # type: ignore[literal-required]
    names = {"USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port", "NAME": "dbname"}
    assert psycopg.conninfo.conninfo_to_dict(url) == {names[key]: str(value) for key, value in parts.items() if value}


@pytest.mark.integration
def test_url_of_a_server_on_a_socket_can_be_passed_on(
    monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    database = dj_database_url.parse(own_postgres_url())
    assert not database["HOST"]
    assert database["OPTIONS"]["host"].startswith("/")
    monkeypatch.setenv("DATABASE_URL", url_of(database))  # type: ignore[arg-type]
    other = ConnectionHandler({"default": module._database()})["default"]
    with django_db_blocker.unblock(), contextlib.closing(other) as connection:
        connection.connect()
        assert connection.is_usable()
