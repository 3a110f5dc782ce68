"""A machine without a SECRET_KEY makes one and keeps it, and the mission document's steps are enough to start."""

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
from config.kept_secret import kept_secret
from tests.project.test_mission_document import blocks, section
from tests.races import at_once

BACKEND = Path(__file__).resolve().parents[2]
STARTING = """
import pathlib, sys
from config.kept_secret import kept_secret
input()
print(kept_secret(pathlib.Path(sys.argv[1]), otherwise=""))
"""


def test_the_key_is_made_once_and_readable_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "var" / "secret_key"
    key = kept_secret(path, otherwise="")
    assert len(key) >= 64
    assert kept_secret(path, otherwise="") == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret_key"]
    assert kept_secret(tmp_path / "secret_key", otherwise="") != key


def test_processes_that_start_together_have_the_same_key(tmp_path: Path) -> None:
    for number in range(3):
        command = [sys.executable, "-c", STARTING, str(tmp_path / str(number) / "secret_key")]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        starting = [subprocess.Popen(command, cwd=BACKEND, **pipes) for _ in range(6)]
        said = at_once([partial(process.communicate, "\n", timeout=60) for process in starting])
        assert len({out for out, _ in said}) == 1
        assert len(said[0][0]) > 64


def test_looking_first_and_writing_then_makes_several_keys(tmp_path: Path) -> None:
    """The negative control: what the link protects from."""
    looked = threading.Barrier(4, timeout=20)
    path = tmp_path / "secret_key"

    def look_then_write(number: int) -> str:
        is_missing = not path.exists()
        looked.wait()
        if is_missing:
            path.write_text(f"{number}" * 64)
        return f"{number}" * 64 if is_missing else path.read_text()

    assert len(set(at_once([partial(look_then_write, number) for number in range(4)]))) == 4


@pytest.mark.parametrize("content", [b"", b"\n", b"too short", b"\xff" * 64])
def test_a_damaged_key_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret_key"
    path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=re.escape(str(path))):
        kept_secret(path, otherwise="")
    assert path.read_bytes() == content


def test_a_deploy_check_says_what_becomes_of_the_key(settings: Any, tmp_path: Path) -> None:
    def told() -> list[Any]:
        return list(checks.check_secret_key(None))

    settings.SECRET_KEY_FILE = None
    assert told() == []
    settings.SECRET_KEY_FILE = tmp_path / "secret_key"
    (warning,) = told()
    assert str(tmp_path / "secret_key") in warning.msg
    assert "Keep a copy" in warning.hint
    assert "Several machines need one key for all" in warning.hint
    assert settings.SECRET_KEY not in f"{warning}"


# -- The mission document, as printed ----------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The backend of a fresh clone: nothing in var/, no .env."""
    ignored = shutil.ignore_patterns("__pycache__", ".env", "tests")
    shutil.copytree(BACKEND, tmp_path / "admit" / "backend", ignore=ignored)
    return tmp_path / "admit" / "backend"


def run(checkout: Path, *command: str) -> tuple[int, str]:
    """What a command of the document says, with nothing else set than a path."""
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


def test_the_documents_steps_are_enough(checkout: Path, cloudlet: RunningCloudlet) -> None:
    (printed,) = blocks(section("Environment Variables"), "env")
    values = {"cloud_name": cloudlet.cloud_name, "api_key": cloudlet.api_key, "api_secret": cloudlet.api_secret}
    filled = re.sub(r"your_(\w+)", lambda found: values[found[1]], printed)
    assert filled.count("\n") == 4
    # A server of this test stands in Cloudinary's place, which takes a fifth line.
    (checkout / ".env").write_text(f"{filled}CLOUDINARY_UPLOAD_PREFIX={cloudlet.url}\n")

    code, said = run(checkout, "manage.py", "migrate")
    assert code == 0, said
    assert "Applying events.0003_eventticket_pdf_ticket_and_more... OK" in said
    kept = checkout.parent / "var" / "secret_key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    key = kept.read_text()

    (test,) = re.findall(r"python (test_ticket_service\.py)", section("Test the Service"))
    code, said = run(checkout, test)
    assert code == 0, said
    assert "🎉 Everything works." in said
    assert kept.read_text() == key
    assert key.strip() not in said


def test_the_printed_examples_are_told_from_credentials(checkout: Path) -> None:
    (printed,) = blocks(section("Environment Variables"), "env")
    (checkout / ".env").write_text(printed)
    for command in (["manage.py", "migrate"], ["test_ticket_service.py"]):
        code, said = run(checkout, *command)
        assert code == 1
        assert "The Cloudinary credentials are still the examples of the documentation." in said
        assert "Put your own into backend/.env" in said
        assert "Traceback" not in said
