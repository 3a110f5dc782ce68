"""Keep what this installation stores from the other users of its machine: folders have mode 0700, files 0600.

The umask of every process sees to what is new, whichever library makes it. What an earlier version left more open is
closed where the name is ours; of a folder that the operator named, which others may need, a check tells.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

OTHERS = stat.S_IRWXG | stat.S_IRWXO
DATA = ("broker", "celerybeat-schedule", "cloudlet", "doctor.sqlite3", "metrics")
NEXT_TO_SQLITE = ("", "-wal", "-shm", "-journal")


def deny_others() -> None:
    """Have this process and its children make files that only their user may open."""
    os.umask(os.umask(OTHERS) | OTHERS)


def make_folder(path: Path, *, is_ours: bool) -> None:
    """Make a folder for data. Close one that exists, if its name is ours. Raises ImproperlyConfigured."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"{path} can't be made: {error}. Let this user write there.") from error
    if is_ours:
        close(path)


def close(path: Path) -> None:
    """Take the rights of other users from what exists; the check tells where this user may not."""
    try:
        if path.stat().st_mode & OTHERS:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
    except (FileNotFoundError, PermissionError):
        return


def close_data(folder: Path) -> None:
    """Close what an earlier version left open in the folder for data."""
    for name in DATA:
        close(folder / name)


def close_sqlite(name: str) -> None:
    """Close the files of an SQLite database, where there are any."""
    for suffix in NEXT_TO_SQLITE:
        close(Path(name + suffix))


@checks.register(checks.Tags.security)
def check_private_paths(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"Other users of this machine can read {path}, which is for Admit alone.",
            hint=f"As its owner: chmod go= {shlex.quote(str(path))}",
            id="admit.W001",
        )
        for path in settings.PRIVATE_PATHS
        if path.exists() and path.stat().st_mode & OTHERS
    ]
