"""Test that a worker started with `nice` yields to the other processes of the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config import priority
from tests.workers import BACKEND

pytestmark = pytest.mark.integration

PROGRAM = """
from config.priority import AUTOGROUP, apply_niceness_to_session

apply_niceness_to_session()
print(AUTOGROUP.read_text() if AUTOGROUP.exists() else "no groups nice 0")
"""
SHELL = ["sh", "-c", '"$@"; exit $?', "sh"]  # `exit` keeps it from becoming the program itself


def group_niceness(nice: int, *, leads_session: bool) -> int:
    """Run the function at this niceness, in a new session. Return the niceness of the session's autogroup.

    The session of the tests may have no autogroup, for example if the kernel's first process started it.
    """
    program = ["nice", "-n", str(nice), sys.executable, "-c", PROGRAM]
    command = program if leads_session else [*SHELL, *program]
    said = subprocess.check_output(command, cwd=BACKEND, start_new_session=True, text=True)
    return int(said.rpartition("nice ")[2])


def test_niceness_is_applied_to_the_session() -> None:
    assert group_niceness(19, leads_session=True) == (19 if priority.AUTOGROUP.exists() else 0)


def test_session_of_another_process_is_left_alone() -> None:
    assert group_niceness(19, leads_session=False) == 0


def test_worker_without_niceness_changes_nothing() -> None:
    assert group_niceness(0, leads_session=True) == 0


def test_nothing_happens_without_autogroups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(priority, "AUTOGROUP", tmp_path / "nowhere")
    monkeypatch.setattr(priority.os, "getpriority", lambda *_: 19)
    monkeypatch.setattr(priority.os, "getsid", lambda _: priority.os.getpid())
    priority.apply_niceness_to_session()
    assert list(tmp_path.iterdir()) == []


def test_refusal_of_the_kernel_is_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(priority, "AUTOGROUP", tmp_path)  # a folder can't be written to
    monkeypatch.setattr(priority.os, "getpriority", lambda *_: 19)
    monkeypatch.setattr(priority.os, "getsid", lambda _: priority.os.getpid())
    priority.apply_niceness_to_session()
    assert "The low priority applies within this worker only" in caplog.text
