"""Generate a secret once for this machine, and keep it in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MIN_CHARACTERS = 32  # the key that signs tickets is derived from the secret


def read_or_create_secret(path: Path, *, hint: str) -> str:
    """Return the secret in the file. Create the file if it does not exist, but never replace a damaged one.

    Creation is atomic: the secret is written to a temporary file of mode 0600, which is then linked to the path. Of
    processes that start together one link succeeds, and all of them read the same secret.

    Raises ImproperlyConfigured, with the hint, if the file can't be read or created, or does not contain a secret.
    """
    try:
        if not path.exists():
            _create(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"The secret in {path} can't be read or created: {error}. {hint}") from error
    if len(secret) < MIN_CHARACTERS:
        raise ImproperlyConfigured(f"{path} does not contain a secret of {MIN_CHARACTERS} characters or more. {hint}")
    return secret


def _create(path: Path) -> None:
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
    """Write the new name to the disk before anything is signed: tickets are invalid if a power cut loses the key."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
