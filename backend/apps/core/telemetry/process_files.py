"""The files in which this machine's processes keep their numbers, one a process and kind: METRICS_DIR.

`prometheus_client` writes and reads them. Here is what it leaves to its users: forgetting the gauges of processes that
are gone, and adding up the counters that those leave behind, without which a machine whose cron starts a command every
minute would read ten thousand files for an answer.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from prometheus_client import CollectorRegistry, multiprocess
from prometheus_client.mmap_dict import MmapedDict

ADDED_UP = "ended"  # stands where the files of processes have their id
FORGOTTEN_AFTER = 30 * 24 * 3600  # seconds without a sign of life from a machine that shares the folder


def register(registry: CollectorRegistry) -> None:
    """Have the registry tell the numbers of all processes of this machine."""
    tidy()
    registry.register(_AllProcesses())


def tidy() -> None:
    """Drop the gauges of processes that are gone, and add their counters to one file. Any number may do it at once."""
    folder = _folder()
    gone: dict[str, list[Path]] = defaultdict(list)
    for path in folder.glob("*_*.db"):
        kind, _, pid = path.stem.rpartition("_")
        if pid.isdecimal() and not _is_alive(int(pid)):
            gone[kind].append(path)
    if gone:
        with _lock(folder, fcntl.LOCK_EX):
            for kind, paths in gone.items():
                _retire(folder, kind, [path for path in paths if path.exists()])  # by now another may have done it
    if folder.parent == Path(settings.VAR_DIR) / "metrics":
        _forget_other_machines(folder)


def forget_own_gauges() -> None:
    """At the start of a process: what bears its id was another's, whose calls are not under way any more."""
    for path in _folder().glob(f"gauge_*_{os.getpid()}.db"):
        path.unlink(missing_ok=True)


def _retire(folder: Path, kind: str, paths: list[Path]) -> None:
    if not kind.startswith("gauge") and paths:
        total: dict[str, float] = defaultdict(float)
        target = folder / f"{kind}_{ADDED_UP}.db"
        for path in [target, *paths]:
            if path.exists() and path.stat().st_size:
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
                    total[key] += value
        new = target.with_suffix(".new")
        new.unlink(missing_ok=True)
        numbers = MmapedDict(str(new))
        for key, value in total.items():
            numbers.write_value(key, value, 0.0)
        numbers.close()
        os.replace(new, target)
    for path in paths:
        path.unlink()


class _AllProcesses(multiprocess.MultiProcessCollector):  # type: ignore[misc,unused-ignore] # untyped in part
    def __init__(self) -> None:
        super().__init__(None, str(_folder()))

    def collect(self):  # type: ignore[no-untyped-def] # as the library's own
        folder = _folder()
        with _lock(folder, fcntl.LOCK_SH):
            # A file without a size is one that a process makes at this very moment.
            files = [str(path) for path in folder.glob("*.db") if path.stat().st_size]
            return self.merge(files, accumulate=True)


def _folder() -> Path:
    folder = Path(settings.METRICS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _forget_other_machines(folder: Path) -> None:
    """Containers get a new name whenever they are made anew, and leave their folder to the one that comes after."""
    for other in folder.parent.iterdir():
        if other != folder and other.is_dir() and (other / ".lock").exists():
            newest = max(path.stat().st_mtime for path in other.iterdir())
            if time.time() - newest > FORGOTTEN_AFTER:
                shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def _lock(folder: Path, how: int) -> Iterator[None]:
    with open(folder / ".lock", "a") as handle:
        fcntl.flock(handle, how)
        yield


os.register_at_fork(after_in_child=forget_own_gauges)
