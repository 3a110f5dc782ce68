"""Whoever starts Admit with something missing or misconfigured reads one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.core import packages

BACKEND = Path(__file__).resolve().parents[2]
REPOSITORY = BACKEND.parent
MISTAKES = {
    "half an account": ({"CLOUDINARY_CLOUD_NAME": "concerts"}, "Cloudinary is half configured"),
    "an unknown delivery type": ({"CLOUDINARY_DELIVERY_TYPE": "bogus"}, "Must be one of: authenticated, upload"),
    "an unknown form of log": ({"LOG_FORMAT": "xml"}, "Must be one of: text, json"),
    "no secret key, and no place for one": (
        {"ADMIT_VAR_DIR": os.devnull},
        "A secret has to be kept in /dev/null/secret_key",
    ),
}


@pytest.mark.parametrize("script", ["backend/manage.py", "backend/test_ticket_service.py", "scripts/demo.py"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_configuration_is_one_line(mistake: str, script: str, tmp_path: Path) -> None:
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


def test_a_secret_key_that_is_too_short_is_found_by_check_with_what_to_do(tmp_path: Path) -> None:
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
def test_every_missing_package_has_its_line(tmp_path: Path) -> None:
    said = packages.missing_packages(tmp_path / "none")
    assert "⚠️ celery not installed. Install with: pip install celery" in said
    assert len(said) == len(packages.REQUIRED)


@pytest.mark.usefixtures("_nothing_installed")
def test_another_python_than_that_of_make_setup_is_told_which_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "backend").mkdir()
    monkeypatch.chdir(tmp_path / "backend")
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])
    (said,) = packages.missing_packages(tmp_path / ".venv")
    assert said.endswith("Run it as: ../.venv/bin/python manage.py")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert len(packages.missing_packages(tmp_path / ".venv")) == len(packages.REQUIRED), "it is that Python already"
