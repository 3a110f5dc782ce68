"""Test that other users can't read the files of an installation, whatever the umask of its processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.testing import RunningCloudlet
from tests.environment import free_port
from tests.workers import BACKEND, QUIETLY, start_python, stop, wait_until

pytestmark = pytest.mark.integration

FOLDER, FILE = 0o700, 0o600


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """Use the usual umask, with which processes create files that all can read."""
    private = os.umask(0o022)
    yield
    os.umask(private)


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the data folder of a new installation. It does not exist yet."""
    folder = tmp_path / "var"
    for name in ("METRICS_DIR", "MEDIA_ROOT", "STATIC_ROOT", "PROMETHEUS_MULTIPROC_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ADMIT_VAR_DIR", str(folder))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder / 'db.sqlite3'}")
    return folder


def modes(folder: Path) -> dict[str, str]:
    """Return the paths that others can open, from the folder down, with their modes. Skip files that vanish."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if mode & 0o077:
            found[str(path)] = oct(mode)
    return found


def manage(*arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=BACKEND, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def test_files_of_all_processes_are_private(var: Path, cloudlet: RunningCloudlet, tmp_path: Path) -> None:
    manage("migrate", "--verbosity=0")
    assert modes(var) == {}
    report = tmp_path / "report.csv"
    manage("migrate_tickets_to_cloudinary", f"--report={report}")
    port = free_port()
    variables = {name: os.environ[name] for name in ("ADMIT_VAR_DIR", "DATABASE_URL")}
    listening = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers-kill-timeout", "3"]
    queues = ["--queues", "interactive,bulk,webhooks", "--concurrency", "1", *QUIETLY]
    server = start_python("filesystem://", "granian", *listening, "config.wsgi:application", variables=variables)
    worker = start_python(
        "filesystem://", "celery", "-A", "config", "--quiet", "worker", "-B", *queues, variables=variables
    )
    try:
        wait_until(lambda: any((var / "metrics").rglob("*.db")), 60, "a metrics file")
        wait_until(lambda: any(var.glob("celerybeat-schedule*")), 60, "the schedule file of beat")
        wait_until(lambda: any((var / "broker").rglob("*")), 60, "a message in the broker")
        with contextlib.closing(
            sqlite3.connect(var / "db.sqlite3")
        ) as database:  # keeps the files open, as the processes close theirs
            database.execute("SELECT name FROM django_migrations").fetchall()
            assert {path.name for path in var.glob("db.sqlite3-*")} == {"db.sqlite3-wal", "db.sqlite3-shm"}
            assert modes(var) == {}
    finally:
        stop(worker)
        stop(server)
    assert modes(var) == {}
    assert report.stat().st_mode & 0o777 == FILE


def test_open_files_of_an_earlier_version_are_restricted(var: Path) -> None:
    """For the folder itself, which the operator chose, a system check warns."""
    manage("migrate", "--verbosity=0")
    (var / "doctor.sqlite3").touch()
    (var / "cloudlet").mkdir(exist_ok=True)
    for path in [var, *var.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert len(modes(var)) >= 5
    said = manage("check")
    assert "Other users of this machine can read" in said
    assert f"chmod go= {var}" in said
    assert set(modes(var)) == {str(var)}
    var.chmod(FOLDER)
    assert "can read" not in manage("check")


def test_data_folder_of_a_checkout_is_restricted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable names another folder, as with `make demo`."""
    for name in ("ADMIT_VAR_DIR", "METRICS_DIR", "DATABASE_URL", "PROMETHEUS_MULTIPROC_DIR"):
        monkeypatch.delenv(name, raising=False)
    backend = tmp_path / "checkout/backend"
    shutil.copytree(BACKEND, backend, ignore=shutil.ignore_patterns("tests", "__pycache__", ".env"))
    var = tmp_path / "checkout/var"
    (var / "metrics").mkdir(parents=True)
    (var / "db.sqlite3").touch()
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=backend, check=True, timeout=120)
    assert var.stat().st_size
    assert modes(var) == {}


def test_static_files_are_readable_for_all(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "static"
    monkeypatch.setenv("STATIC_ROOT", str(root))
    manage("collectstatic", "--noinput")
    assert any(root.rglob("*.gz"))
    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path
    assert modes(var) == {}
