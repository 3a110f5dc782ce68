"""A worker that is started with `nice` leaves the processors to everybody else on the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config import priority
from tests.workers import BACKEND

PROGRAM = """
from config.priority import AUTOGROUP, apply_niceness_to_session
apply_niceness_to_session()
print(AUTOGROUP.read_text() if AUTOGROUP.exists() else "no groups nice 0")
"""
SHELL = ["sh", "-c", '"$@"; exit $?', "sh"]  # `exit` keeps it from becoming the program itself


def group_niceness(nice: int, *, leads_session: bool) -> int:
    """That of a new session's group of processes, after a program of that niceness has asked for it.

    The session is always a new one: the tests' own may have no group, as when the kernel's first process started it.
    """
    program = ["nice", "-n", str(nice), sys.executable, "-c", PROGRAM]
    command = program if leads_session else [*SHELL, *program]
    said = subprocess.check_output(command, cwd=BACKEND, start_new_session=True, text=True)
    return int(said.rpartition("nice ")[2])


def test_the_whole_session_gets_the_niceness() -> None:
    assert group_niceness(19, leads_session=True) == (19 if priority.AUTOGROUP.exists() else 0)


def test_without_a_session_of_its_own_nothing_is_taken_from_the_others() -> None:
    assert group_niceness(19, leads_session=False) == 0


def test_ordinary_workers_stay_ordinary() -> None:
    assert group_niceness(0, leads_session=True) == 0


def test_where_there_are_no_groups_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(priority, "AUTOGROUP", tmp_path / "nowhere")
    monkeypatch.setattr(priority.os, "getpriority", lambda *_: 19)
    monkeypatch.setattr(priority.os, "getsid", lambda _: priority.os.getpid())
    priority.apply_niceness_to_session()
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(priority, "AUTOGROUP", tmp_path)  # a folder takes no text
    monkeypatch.setattr(priority.os, "getpriority", lambda *_: 19)
    monkeypatch.setattr(priority.os, "getsid", lambda _: priority.os.getpid())
    priority.apply_niceness_to_session()
    assert "The low priority counts within this worker only" in caplog.text
