"""The files in which this machine's processes keep their numbers, some for each process: METRICS_DIR.

`prometheus_client` writes and reads them. It names them by process id and leaves those of ended processes where they
are, so that a machine whose cron starts a command every minute would read ten thousand files for a scrape. Here, a
process has a slot instead of its id: the lowest number that no running process has. It counts on in the files of the
process that had the slot before. So counters survive their processes, and there are only as many files as there were
processes at once. A lock holds the slot; the kernel releases it when the process ends, in whatever way.
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

FORGOTTEN_AFTER = 30 * 24 * 3600  # seconds without a sign of life from a machine that shares the folder

_slot: tuple[int, int] | None = None  # this process's, and the descriptor that holds its lock


def open_in_own_slot() -> None:
    """Have the numbers that are declared from here on kept in the files of this process's slot."""
    values.ValueClass = values.MultiProcessValue(_own_slot)


def register(registry: CollectorRegistry) -> None:
    """Have the registry tell the numbers of all processes of this machine."""
    tidy()
    registry.register(_AllProcesses())


def tidy() -> None:
    """Drop the gauges of processes that are gone. Any number of processes may do it at once."""
    folder = _folder()
    for slot in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}:
        if (lock := _lock(folder, slot)) is not None:
            multiprocess.mark_process_dead(slot, str(folder))
            os.close(lock)
    if folder.parent == Path(settings.VAR_DIR) / "metrics":
        _forget_other_machines(folder)


def _own_slot() -> int:
    """Return the slot of this process. The first call takes it, and drops the gauges that the process before left."""
    global _slot
    if _slot is None:
        folder = _folder()
        _slot = next((slot, lock) for slot in itertools.count() if (lock := _lock(folder, slot)) is not None)
        multiprocess.mark_process_dead(_slot[0], str(folder))
    return _slot[0]


def _leave_slot_to_parent() -> None:
    """Take a slot of its own for a forked process.

    The parent's lock, which both hold, is closed last, or the slot of a parent that ends meanwhile would be taken: the
    library tells by another number that there was a fork.
    """
    global _slot
    if _slot is not None:
        (_, inherited), _slot = _slot, None
        try:
            _own_slot()
        finally:
            os.close(inherited)


def _lock(folder: Path, slot: int) -> int | None:
    """Return the descriptor that holds the lock of the slot, None while another process holds it."""
    path = folder / f"{slot}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if path.exists():
            return None  # of another user's process
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
            [str(path) for path in _folder().glob("*.db") if _has_size(path)]
        )
        return merged


def _has_size(path: Path) -> bool:
    """Whether the file is not one that a process makes or drops at this very moment."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _folder() -> Path:
    folder = Path(settings.METRICS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _forget_other_machines(folder: Path) -> None:
    """Containers get a new name whenever they are made anew, and leave their folder to the one that comes after."""
    for other in folder.parent.iterdir():
        if other != folder and other.is_dir() and any(other.glob("*.lock")):
            newest = max(path.stat().st_mtime for path in other.iterdir())
            if time.time() - newest > FORGOTTEN_AFTER:
                shutil.rmtree(other, ignore_errors=True)


os.register_at_fork(after_in_child=_leave_slot_to_parent)
