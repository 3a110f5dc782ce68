"""Test that a mistake in the configuration is reported in one line that says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from environs import EnvError

from apps.core import packages
from tests.workers import BACKEND

from .read_settings import read_settings

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
THAI, HEBREW = "NotoSansThai[wght].ttf", "NotoSansHebrew[wght].ttf"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_a_configuration_error_of_one_line(mistake: str, tmp_path: Path) -> None:
    variables, words = MISTAKES[mistake]
    with pytest.raises((ImproperlyConfigured, EnvError)) as error:
        read_settings(tmp_path, **variables)
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("script", ["backend/manage.py", "backend/test_ticket_service.py", "scripts/demo.py"])
@pytest.mark.parametrize("mistake", ["half an account", "unknown log format"])  # one of each class of error
@pytest.mark.integration
def test_configuration_error_is_reported_in_one_line(mistake: str, script: str, tmp_path: Path) -> None:
    variables, words = MISTAKES[mistake]
    arguments = ["check"] if script.endswith("manage.py") else []
    done = run(tmp_path, REPOSITORY / script, *arguments, DEBUG="1", **variables)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert words in said
    assert len(said.splitlines()) == 1, said


@pytest.mark.integration
def test_check_reports_a_short_secret_key_and_a_broken_font(tmp_path: Path) -> None:
    package = find_spec("manimgx_fonts")
    assert package
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    shutil.copy(Path(str(package.origin)).with_name(HEBREW), fonts)
    (fonts / THAI).write_bytes(b"no font")
    done = run(tmp_path, BACKEND / "manage.py", "check", SECRET_KEY="short", TICKETKIT_FONTS=str(fonts))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "(events.E003) SECRET_KEY is too short to sign ticket codes" in done.stderr
    assert "HINT: `openssl rand -base64 32` makes a key" in done.stderr
    assert f"(events.W011) Tickets cannot show Thai: {fonts / THAI} is not the font of this name" in done.stderr
    assert done.stderr.count("events.W011") == 1, "the intact font is reported too"


def run(var_dir: Path, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program with these variables, and without the developer's `.env`."""
    environment = {"PATH": os.environ["PATH"], "ADMIT_ENV_FILE": os.devnull, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=BACKEND,
        env=environment | {"ADMIT_VAR_DIR": str(var_dir)} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


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
