"""Test a fresh checkout: the steps of the mission document are enough to start, and all files are private."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudlet.testing import RunningCloudlet
from tests.environment import free_port
from tests.project.test_mission_document import blocks, section
from tests.workers import BACKEND, QUIETLY, start_python, stop, wait_until

from .test_private_files import FILE, modes

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("fresh checkout")]  # it is migrated once

NO_SETTINGS = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"}
UMASK = 0o022  # the usual one, with which processes create files that all can read


@dataclass(frozen=True)
class Checkout:
    backend: Path
    said: str  # by `manage.py migrate`

    @property
    def var(self) -> Path:
        return self.backend.parent / "var"

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables with which a process of this repository uses the data, without the checkout's .env."""
        database_url = f"sqlite:///{self.var / 'db.sqlite3'}"
        places = {"ADMIT_VAR_DIR": str(self.var), "DATABASE_URL": database_url, "METRICS_DIR": "", "MEDIA_ROOT": ""}
        return places | {"CLOUDLET_PORT": str(free_port())}


@pytest.fixture(scope="module")
def checkout(cloudlet_server: RunningCloudlet, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Copy the backend as in a fresh clone, with nothing in var/. Take the document's steps up to the migration."""
    backend = tmp_path_factory.mktemp("admit") / "backend"
    shutil.copytree(BACKEND, backend, ignore=shutil.ignore_patterns(".env", "tests"))
    (printed,) = blocks(section("Environment Variables"), "env")
    filled = re.sub(r"your_(\w+)", lambda found: str(getattr(cloudlet_server, found[1])), printed)
    assert filled.count("\n") == 4
    # A fifth line makes the test use a cloudlet in place of Cloudinary.
    (backend / ".env").write_text(f"{filled}CLOUDINARY_UPLOAD_PREFIX={cloudlet_server.url}\n")
    said = run(backend, NO_SETTINGS, "manage.py", "migrate")
    return Checkout(backend, said)


def run(folder: Path, variables: Mapping[str, str], *command: str) -> str:
    """Run a Python program. Return its output."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=variables, capture_output=True, text=True, timeout=170, check=False,
        umask=UMASK,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_steps_of_the_document_are_enough(checkout: Checkout) -> None:
    assert "Applying events.0003_eventticket_pdf_ticket_and_more... OK" in checkout.said
    secret_file = checkout.var / "secret_key"
    assert stat.S_IMODE(secret_file.stat().st_mode) == FILE
    key = secret_file.read_text()

    (test,) = re.findall(r"python (test_ticket_service\.py)", section("Test the Service"))
    said = run(checkout.backend, NO_SETTINGS, test)
    assert [line[0] for line in said.splitlines()] == ["✅"] * 8 + ["🎉"]
    assert "🎉 Everything works." in said
    assert secret_file.read_text() == key
    assert key.strip() not in said


def test_migrated_data_folder_is_private(checkout: Checkout) -> None:
    assert {"db.sqlite3", "secret_key", "metrics"} <= {path.name for path in checkout.var.iterdir()}
    assert modes(checkout.var) == {}


def test_command_needs_no_setting_and_its_report_is_private(checkout: Checkout, tmp_path: Path) -> None:
    """The command runs all system checks first, and no cloudlet runs on its port."""
    report = tmp_path / "report.csv"
    variables = os.environ | checkout.variables
    run(BACKEND, variables, "manage.py", "migrate_tickets_to_cloudinary", f"--report={report}")
    assert report.stat().st_mode & 0o777 == FILE
    assert modes(checkout.var) == {}


def test_files_of_all_processes_are_private(checkout: Checkout) -> None:
    var, port = checkout.var, free_port()
    listening = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers-kill-timeout", "3"]
    queues = ["--queues", "interactive,bulk,webhooks", "--concurrency", "1", *QUIETLY]
    for file in (var / "metrics").rglob("*.db"):
        file.unlink()
    server, worker = (
        start_python("filesystem://", *command, variables=checkout.variables, umask=UMASK)
        for command in (
            ["granian", *listening, "config.wsgi:application"],
            ["celery", "-A", "config", "--quiet", "worker", "-B", *queues],
        )
    )
    try:
        wait_until(lambda: any((var / "metrics").rglob("*.db")), 60, "a metrics file")
        wait_until(lambda: any(var.glob("celerybeat-schedule*")), 60, "the schedule file of beat")
        wait_until(lambda: any((var / "broker/control").iterdir()), 60, "a queue of the broker")
        # This connection keeps the database's other files, which the processes delete when they close theirs.
        with contextlib.closing(sqlite3.connect(var / "db.sqlite3")) as database:
            database.execute("SELECT name FROM django_migrations").fetchall()
            assert {path.name for path in var.glob("db.sqlite3-*")} == {"db.sqlite3-wal", "db.sqlite3-shm"}
            assert modes(var) == {}
    finally:
        stop(worker)
        stop(server)
    assert modes(var) == {}
