"""Secrets that a machine makes for itself once, and keeps in files that only their owner can read."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MIN_CHARACTERS = 32  # of a key from which codes.py derives the one that signs tickets


def kept_secret(path: Path, *, otherwise: str) -> str:
    """Return the secret in the file. The first process that asks creates it.

    It is written to a file of mode 0600 beside it, and linked to its name as a whole: of processes that start together
    one link succeeds, and all of them read the same secret. One that is damaged is never replaced.

    Raises ImproperlyConfigured when no secret can be kept there, or when the file holds none; `otherwise` says what to
    do about it.
    """
    try:
        if not path.exists():
            _make(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"A secret has to be kept in {path}, but: {error}. {otherwise}") from error
    if len(secret) < MIN_CHARACTERS:
        raise ImproperlyConfigured(f"{path} does not hold a secret of {MIN_CHARACTERS} characters or more. {otherwise}")
    return secret


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError:
        return  # another process was first
    finally:
        os.unlink(temporary)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk before anything is signed: a key that is lost in a power cut voids tickets."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
