"""Test the generated SECRET_KEY, and that the steps of the mission document are enough to start."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from cloudlet.testing import RunningCloudlet
from config import checks
from config.secret_file import read_or_create_secret
from tests.project.test_mission_document import blocks, section
from tests.races import at_once

pytestmark = pytest.mark.integration

BACKEND = Path(__file__).resolve().parents[2]
READ_SECRET = """
import pathlib, sys
from config.secret_file import read_or_create_secret

input()
print(read_or_create_secret(pathlib.Path(sys.argv[1]), hint=""))
"""


def test_key_is_created_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "var" / "secret_key"
    key = read_or_create_secret(path, hint="")
    assert len(key) >= 64
    assert read_or_create_secret(path, hint="") == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret_key"]
    assert read_or_create_secret(tmp_path / "secret_key", hint="") != key


def test_concurrent_processes_get_the_same_key(tmp_path: Path) -> None:
    for number in range(3):
        command = [sys.executable, "-c", READ_SECRET, str(tmp_path / str(number) / "secret_key")]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        starting = [subprocess.Popen(command, cwd=BACKEND, **pipes) for _ in range(6)]
        said = at_once([partial(process.communicate, "\n", timeout=60) for process in starting])
        assert len({out for out, _ in said}) == 1
        assert len(said[0][0]) > 64


def test_check_then_write_creates_several_keys(tmp_path: Path) -> None:
    """The negative control: the race that the link prevents."""
    checked = threading.Barrier(4, timeout=20)
    path = tmp_path / "secret_key"

    def check_then_write(number: int) -> str:
        is_missing = not path.exists()
        checked.wait()
        if is_missing:
            path.write_text(f"{number}" * 64)
        return f"{number}" * 64 if is_missing else path.read_text()

    assert len(set(at_once([partial(check_then_write, number) for number in range(4)]))) == 4


@pytest.mark.parametrize("content", [b"", b"\n", b"too short", b"\xff" * 64])
def test_damaged_key_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret_key"
    path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=re.escape(str(path))):
        read_or_create_secret(path, hint="")
    assert path.read_bytes() == content


def test_deploy_check_warns_of_a_generated_key(settings: Any, tmp_path: Path) -> None:
    def warnings() -> list[Any]:
        return list(checks.check_secret_key(None))

    settings.SECRET_KEY_FILE = None
    assert warnings() == []
    settings.SECRET_KEY_FILE = tmp_path / "secret_key"
    (warning,) = warnings()
    assert str(tmp_path / "secret_key") in warning.msg
    assert "Keep a copy" in warning.hint
    assert "Several machines need one key for all" in warning.hint
    assert settings.SECRET_KEY not in f"{warning}"


# -- The mission document, as printed ----------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the backend as in a fresh clone: nothing in var/, no .env."""
    ignored = shutil.ignore_patterns("__pycache__", ".env", "tests")
    shutil.copytree(BACKEND, tmp_path / "admit" / "backend", ignore=ignored)
    return tmp_path / "admit" / "backend"


def run(checkout: Path, *command: str) -> tuple[int, str]:
    """Run a command of the document, with PATH as the only setting. Return its exit code and output."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_steps_of_the_document_are_enough(checkout: Path, cloudlet: RunningCloudlet) -> None:
    (printed,) = blocks(section("Environment Variables"), "env")
    values = {"cloud_name": cloudlet.cloud_name, "api_key": cloudlet.api_key, "api_secret": cloudlet.api_secret}
    filled = re.sub(r"your_(\w+)", lambda found: values[found[1]], printed)
    assert filled.count("\n") == 4
    # A fifth line makes the test use a cloudlet in place of Cloudinary.
    (checkout / ".env").write_text(f"{filled}CLOUDINARY_UPLOAD_PREFIX={cloudlet.url}\n")

    code, said = run(checkout, "manage.py", "migrate")
    assert code == 0, said
    assert "Applying events.0003_eventticket_pdf_ticket_and_more... OK" in said
    secret_file = checkout.parent / "var" / "secret_key"
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    key = secret_file.read_text()

    (test,) = re.findall(r"python (test_ticket_service\.py)", section("Test the Service"))
    code, said = run(checkout, test)
    assert code == 0, said
    assert "🎉 Everything works." in said
    assert secret_file.read_text() == key
    assert key.strip() not in said


def test_example_credentials_are_refused(checkout: Path) -> None:
    (printed,) = blocks(section("Environment Variables"), "env")
    (checkout / ".env").write_text(printed)
    for command in (["manage.py", "migrate"], ["test_ticket_service.py"]):
        code, said = run(checkout, *command)
        assert code == 1
        assert "The Cloudinary credentials are still the examples of the documentation." in said
        assert "Put your own into backend/.env" in said
        assert "Traceback" not in said
