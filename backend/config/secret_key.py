"""Keeps a secret key for a machine whose operator has set none."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MIN_BYTES = 32  # what codes.py derives the signing key of tickets from


def keep_secret_key(path: Path) -> str:
    """Return the key in this file, which is made by whichever process asks first.

    The key is written to a file of mode 0600 beside it, and linked to its name as a whole: of processes that start
    together one link succeeds, and all of them read the same key.

    Raises ImproperlyConfigured when no key can be kept there, or when what is there is none.
    """
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set, and {path} cannot keep one: {error}. Set SECRET_KEY in backend/.env, or let this "
            "user write there."
        ) from error
    if len(key) < MIN_BYTES:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set, and what {path} holds is no key. Put the file back from your backup. Only if "
            "there is none, delete it: a new key voids sessions, and tickets whose codes the old one signed."
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")  # mode 0600
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
