"""Test the generated SECRET_KEY, and that the example credentials of the mission document are refused."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import test_ticket_service
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from config import checks
from config.secret_file import read_or_create_secret
from tests.project.test_mission_document import blocks, section
from tests.races import at_once
from tests.workers import BACKEND

from .read_settings import read_settings

READ_SECRETS = """
import multiprocessing, pathlib, sys
from config.secret_file import read_or_create_secret

def read(path):
    start.wait()  # so that each process reads once
    return read_or_create_secret(path, hint="")

context = multiprocessing.get_context("fork")
start = context.Barrier(6, timeout=60)
with context.Pool(6) as pool:
    for name in sys.argv[1:]:
        print(*pool.map(read, [pathlib.Path(name)] * 6, chunksize=1))
"""


def test_key_is_created_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "var" / "secret_key"
    key = read_or_create_secret(path, hint="")
    assert len(key) >= 64
    assert read_or_create_secret(path, hint="") == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret_key"]
    assert read_or_create_secret(tmp_path / "secret_key", hint="") != key


@pytest.mark.integration
def test_concurrent_processes_get_the_same_key(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) / "secret_key" for number in range(3)]
    command = [sys.executable, "-c", READ_SECRETS, *map(str, paths)]
    done = subprocess.run(command, cwd=BACKEND, capture_output=True, text=True, timeout=120, check=True)
    rounds = [line.split() for line in done.stdout.splitlines()]
    assert [len(keys) for keys in rounds] == [6, 6, 6]
    assert [set(keys) for keys in rounds] == [{path.read_text().strip()} for path in paths]
    assert len({keys[0] for keys in rounds}) == 3
    assert len(rounds[0][0]) >= 64


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


@pytest.mark.django_db
def test_example_credentials_are_refused(tmp_path: Path, settings: Any) -> None:
    (printed,) = blocks(section("Environment Variables"), "env")
    (tmp_path / ".env").write_text(printed)
    settings.CLOUDINARY_ACCOUNT = read_settings(tmp_path, ADMIT_ENV_FILE=str(tmp_path / ".env")).CLOUDINARY_ACCOUNT
    with pytest.raises(SystemCheckError) as refused:
        call_command("migrate", skip_checks=False)
    said: list[str] = []
    assert test_ticket_service.check_everything(said.append) == 1
    for text in (str(refused.value), "\n".join(said)):
        assert "The Cloudinary credentials are still the examples of the documentation." in text
        assert "Put your own into backend/.env" in text
