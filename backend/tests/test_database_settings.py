"""How the settings connect to the database."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from config import settings as module


def test_connections_to_a_server_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a connection takes longer than all the statements of a request."""
    monkeypatch.setenv("DATABASE_URL", "postgres://admit:password@db.example.org:5432/admit")
    database = module._database()
    assert database["CONN_MAX_AGE"] == 60
    assert database["CONN_HEALTH_CHECKS"]


def test_on_sqlite_a_commit_is_on_the_disk_when_it_returns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as connection:
        connection.executescript(module._database()["OPTIONS"]["init_command"])
        modes = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]  # 2 is FULL
