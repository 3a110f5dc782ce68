"""Test that a mistake in the configuration is reported in one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.core import packages

pytestmark = pytest.mark.integration

BACKEND = Path(__file__).resolve().parents[2]
REPOSITORY = BACKEND.parent
MISTAKES = {
    "half an account": ({"CLOUDINARY_CLOUD_NAME": "concerts"}, "Cloudinary is half configured"),
    "unknown delivery type": ({"CLOUDINARY_DELIVERY_TYPE": "bogus"}, "Must be one of: authenticated, upload"),
    "unknown log format": ({"LOG_FORMAT": "xml"}, "Must be one of: text, json"),
    "no secret key and no folder for it": (
        {"ADMIT_VAR_DIR": os.devnull},
        "The secret in /dev/null/secret_key can't be read or created",
    ),
}


@pytest.mark.parametrize("script", ["backend/manage.py", "backend/test_ticket_service.py", "scripts/demo.py"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_configuration_error_is_reported_in_one_line(mistake: str, script: str, tmp_path: Path) -> None:
    variables, words = MISTAKES[mistake]
    environment = {"PATH": os.environ["PATH"], "DEBUG": "1", "ADMIT_ENV_FILE": str(tmp_path / "none")} | variables
    arguments = ["check"] if script.endswith("manage.py") else []
    done = subprocess.run(
        [sys.executable, REPOSITORY / script, *arguments],
        cwd=BACKEND,
        env={"ADMIT_VAR_DIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert words in said
    assert len(said.splitlines()) == 1, said


def test_check_reports_a_short_secret_key(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": "short", "ADMIT_ENV_FILE": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, BACKEND / "manage.py", "check"],
        cwd=BACKEND,
        env=environment | {"ADMIT_VAR_DIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "(events.E003) SECRET_KEY is too short to sign ticket codes" in done.stderr
    assert "HINT: `openssl rand -base64 32` makes a key" in done.stderr


@pytest.fixture
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: None)


@pytest.mark.usefixtures("_nothing_installed")
def test_every_missing_package_is_reported(tmp_path: Path) -> None:
    said = packages.missing_packages(tmp_path / "none")
    assert "⚠️ celery not installed. Install with: pip install celery" in said
    assert len(said) == len(packages.REQUIRED)


@pytest.mark.usefixtures("_nothing_installed")
def test_wrong_python_is_reported_with_the_right_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "backend").mkdir()
    monkeypatch.chdir(tmp_path / "backend")
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])
    (said,) = packages.missing_packages(tmp_path / ".venv")
    assert said.endswith("Run it as: ../.venv/bin/python manage.py")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert len(packages.missing_packages(tmp_path / ".venv")) == len(packages.REQUIRED), (
        "the hint is given although it is that Python"
    )
