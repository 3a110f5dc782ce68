"""Processes import only what they need: each module costs every start of a process CPU time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

BACKEND = Path(__file__).resolve().parents[2]
SETUP = "import django; django.setup()"
WORKER = """
from celery.apps.worker import Worker
from config import celery_app
from celery.signals import celeryd_after_setup
worker = Worker(app=celery_app, queues="{queue}", pool="solo")
celeryd_after_setup.send(sender=worker.hostname, instance=worker, conf=celery_app.conf)  # as it does when it starts
"""
SERVER = "import config.wsgi"
PAGES = {
    "apps.api.app",
    "apps.backoffice.admin",
    "apps.pages.views",
    "config.urls",
    "ninja",
    "pydantic",
    "unfold.admin",
}
RENDERER = {"ticketkit.rendering.template", "ticketkit.wallet.apple", "PIL.Image", "jwt", "pypdfium2", "uharfbuzz"}
OTHERS = {"jinja2", "psycopg"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("var")


def imported(program: str, folder: Path) -> set[str]:
    """Run the program in a new process on SQLite. Return which of the heavy modules it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport json, sys; print(json.dumps(list(sys.modules)))"],
        cwd=BACKEND,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ADMIT_ENV_FILE": str(folder / "none"),
            "ADMIT_VAR_DIR": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (PAGES | RENDERER | OTHERS) & set(json.loads(done.stdout))


def test_setup_of_django_imports_neither_pages_nor_the_renderer(folder: Path) -> None:
    assert imported(SETUP, folder) == set()


@pytest.mark.parametrize(("queue", "expected"), [("interactive", RENDERER), ("webhooks", set())])
def test_worker_imports_no_pages_and_the_renderer_if_it_makes_tickets(
    queue: str, expected: set[str], folder: Path
) -> None:
    assert imported(WORKER.format(queue=queue), folder) == expected


def test_server_imports_pages_and_renderer_before_the_first_request(folder: Path) -> None:
    assert imported(SERVER, folder) >= PAGES | RENDERER
