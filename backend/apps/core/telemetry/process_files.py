"""The files in METRICS_DIR in which the processes of this machine keep their metrics.

`prometheus_client` writes and reads them (its multiprocess mode). It names the files by process id and keeps those of
ended processes. On a machine where cron starts a command every minute, a scrape would have to read ten thousand files.

Here, files are named by *slot* instead: the lowest number that no running process has. A process goes on counting in
the files of the previous process with its slot, so counters survive a restart, and there are only as many files as
there were processes at the same time. A process holds its slot by a file lock, which the kernel releases however the
process ends.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from prometheus_client import CollectorRegistry, Metric, multiprocess, values

STALE_AFTER_SECONDS = 30 * 24 * 3600  # without a write by any process of a machine that shares the folder


class ProcessSlot:
    """The slot of this process, taken when its number is first asked for."""

    def __init__(self) -> None:
        self.held: tuple[int, int] | None = None  # the number, and the descriptor of the locked file

    def number(self) -> int:
        """Return the number of the slot. The first call takes it and removes the gauges of its previous process."""
        if self.held is None:
            folder = _folder()
            self.held = next((slot, lock) for slot in itertools.count() if (lock := _lock(folder, slot)) is not None)
            multiprocess.mark_process_dead(self.held[0], str(folder))
        return self.held[0]

    def replace_after_fork(self) -> None:
        """Take another slot in a forked process, if the parent has one: the library notices the new number.

        Parent and child share the lock. The child closes it last, because the slot would be free if the parent ended
        before the child has its own.
        """
        if self.held is None:
            return
        (_, inherited), self.held = self.held, None
        try:
            self.number()
        finally:
            os.close(inherited)


_slot = ProcessSlot()
os.register_at_fork(after_in_child=_slot.replace_after_fork)


def use_slots() -> None:
    """Make `prometheus_client` keep the metrics that are declared from now on in the files of this process's slot."""
    values.ValueClass = values.MultiProcessValue(_slot.number)


def register(registry: CollectorRegistry) -> None:
    """Add the metrics of all processes of this machine to the registry."""
    remove_stale_files()
    registry.register(_AllProcesses())


def remove_stale_files() -> None:
    """Remove the gauges of ended processes and the folders of machines that are gone. Safe to run concurrently."""
    folder = _folder()
    for slot in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}:
        if (lock := _lock(folder, slot)) is not None:
            multiprocess.mark_process_dead(slot, str(folder))
            os.close(lock)
    if folder.parent == Path(settings.VAR_DIR) / "metrics":
        _remove_stale_folders(folder)


def _lock(folder: Path, slot: int) -> int | None:
    """Lock the slot and return the file descriptor, or return None if another process holds the lock."""
    path = folder / f"{slot}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if path.exists():
            return None  # it belongs to another user's process
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


class _AllProcesses:
    def collect(self) -> Iterable[Metric]:
        merged: Iterable[Metric] = multiprocess.MultiProcessCollector.merge(
            [str(path) for path in _folder().glob("*.db") if _has_content(path)]
        )
        return merged


def _has_content(path: Path) -> bool:
    """Return False for a file that another process is creating or removing at this moment."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _folder() -> Path:
    folder = Path(settings.METRICS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _remove_stale_folders(folder: Path) -> None:
    """Remove the folders of machines that are gone: a container gets a new name each time it is created."""
    for other in folder.parent.iterdir():
        if other != folder and other.is_dir() and any(other.glob("*.lock")):
            newest = max(path.stat().st_mtime for path in other.iterdir())
            if time.time() - newest > STALE_AFTER_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
