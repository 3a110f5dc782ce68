"""Deny other users of the machine access to the files of this installation: folders have mode 0700, files 0600.

The umask of every process restricts new files, whichever library creates them. Files that an earlier version left more
open are restricted if their names are ours. For a folder that the operator chose, which others may need, a system check
warns instead.
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

OTHERS_MASK = stat.S_IRWXG | stat.S_IRWXO
DATA_NAMES = ("broker", "celerybeat-schedule", "cloudlet", "doctor.sqlite3", "metrics")
SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


def set_private_umask() -> None:
    """Let this process and its children create files that only their user can open."""
    os.umask(os.umask(OTHERS_MASK) | OTHERS_MASK)


def make_folder(path: Path, *, is_ours: bool) -> None:
    """Create a folder for data, or restrict an existing one if its name is ours.

    Raises ImproperlyConfigured if it can't be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"{path} can't be created: {error}. Let this user write there.") from error
    if is_ours:
        restrict(path)


def restrict(path: Path) -> None:
    """Remove other users' permissions, if the path exists and this user may do so. Else the system check warns."""
    try:
        if path.stat().st_mode & OTHERS_MASK:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS_MASK)
    except (FileNotFoundError, PermissionError):
        return


def restrict_data(folder: Path) -> None:
    """Restrict the files that an earlier version left more open in the folder for data."""
    for name in DATA_NAMES:
        restrict(folder / name)


def restrict_sqlite(name: str) -> None:
    """Restrict the files of an SQLite database, as far as they exist."""
    for suffix in SQLITE_SUFFIXES:
        restrict(Path(name + suffix))


@checks.register(checks.Tags.security)
def check_private_paths(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"Other users of this machine can read {path}, which should be private to Admit.",
            hint=f"As its owner: chmod go= {shlex.quote(str(path))}",
            id="admit.W001",
        )
        for path in settings.PRIVATE_PATHS
        if path.exists() and path.stat().st_mode & OTHERS_MASK
    ]
