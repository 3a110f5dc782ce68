"""Test that other users can't read the files of an installation, whatever the umask of its processes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.test import override_settings

from config import private_files
from tests.workers import BACKEND

from .read_settings import read_settings

FOLDER, FILE = 0o700, 0o600


def modes(folder: Path) -> dict[str, str]:
    """Return the paths that others can open, from the folder down, with their modes. Skip files that vanish."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if mode & 0o077:
            found[str(path)] = oct(mode)
    return found


def test_open_files_of_an_earlier_version_are_restricted(tmp_path: Path, settings: Any) -> None:
    """For the folder itself, which the operator chose, a system check warns."""
    var = tmp_path / "var"

    def warnings() -> str:
        settings.PRIVATE_PATHS = read_settings(var).PRIVATE_PATHS
        return "\n".join(f"{message.msg} {message.hint}" for message in run_checks(tags=[Tags.security]))

    read_settings(var)
    assert modes(var) == {}
    for name in ("db.sqlite3", "db.sqlite3-wal", "doctor.sqlite3"):
        (var / name).touch()
    for path in [var, *var.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (var / "secret_key").chmod(FILE)
    assert len(modes(var)) >= 5
    said = warnings()
    assert f"Other users of this machine can read {var}" in said
    assert f"chmod go= {var}" in said
    assert set(modes(var)) == {str(var)}
    var.chmod(FOLDER)
    assert "can read" not in warnings()


def test_data_folder_of_a_checkout_is_restricted(tmp_path: Path) -> None:
    """No variable names another folder, as with `make demo`."""
    backend, var = tmp_path / "checkout/backend", tmp_path / "checkout/var"
    (backend / "config").mkdir(parents=True)
    shutil.copy(BACKEND / "config/settings.py", backend / "config")
    (var / "metrics").mkdir(parents=True)
    (var / "db.sqlite3").touch()
    for path in [var, *var.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert read_settings(None, backend=backend).DATABASES["default"]["NAME"] == str(var / "db.sqlite3")
    assert {path.name for path in var.iterdir()} > {"metrics", "db.sqlite3"}
    assert modes(var) == {}


def test_static_files_are_readable_for_all(tmp_path: Path) -> None:
    root = tmp_path / "static"
    read = read_settings(tmp_path / "var", STATIC_ROOT=str(root))
    umask = os.umask(0o022)
    try:
        private_files.set_private_umask()
        own_only = ["django.contrib.staticfiles.finders.FileSystemFinder"]  # of few files, compressed in no time
        with override_settings(STATIC_ROOT=read.STATIC_ROOT, STORAGES=read.STORAGES, STATICFILES_FINDERS=own_only):
            call_command("collectstatic", "--noinput", verbosity=0)
    finally:
        os.umask(umask)
    assert any(root.rglob("*.gz"))
    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path
    assert modes(tmp_path / "var") == {}
