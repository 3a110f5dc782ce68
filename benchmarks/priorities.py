"""Set the CPU priority of processes in the ways that docs/how-to/from-one-machine-to-many.md describes."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

LOWEST_NICENESS = 19
HIERARCHIES = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))  # of cgroup version 1 and version 2


class Priority(StrEnum):
    """CPU priorities. `IDLE` is a control group that gets only idle time, like systemd's `CPUWeight=idle`."""

    ORDINARY = "ordinary"
    NICE = "nice"
    IDLE = "idle"

    @property
    def niceness(self) -> int:
        return LOWEST_NICENESS if self is Priority.NICE else 0


@contextlib.contextmanager
def idle_group() -> Iterator[Path | None]:
    """Create a control group for idle time while the context lasts. Yield None without the permission to do so."""
    hierarchy = next(path for path in HIERARCHIES if (path / "cgroup.procs").exists() or path == HIERARCHIES[-1])
    group = hierarchy / f"admit-bench-{os.getpid()}"
    try:
        if (controllers := hierarchy / "cgroup.subtree_control").exists():
            controllers.write_text("+cpu")
        group.mkdir()
        (group / "cpu.idle").write_text("1")
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        _move((group / "cgroup.procs").read_text().split(), hierarchy)
        group.rmdir()


def give(pid: int, priority: Priority, group: Path | None) -> None:
    """Set the priority of a session leader and its children. Raising a priority again needs root."""
    if group is not None:
        children = subprocess.run(["pgrep", "--parent", str(pid)], capture_output=True, text=True, check=False)
        _move([str(pid), *children.stdout.split()], group if priority is Priority.IDLE else group.parent)
    with contextlib.suppress(FileNotFoundError):  # the kernel has no autogroups
        Path(f"/proc/{pid}/autogroup").write_text(str(priority.niceness))
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), priority.niceness)


def _move(pids: list[str], group: Path) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(pid)
