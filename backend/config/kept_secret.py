"""A secret that this machine makes for itself once, and keeps in a file that only its owner can read."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def kept_secret(path: Path, *, otherwise: str) -> str:
    """Return the secret in the file, after making one where there is none.

    Processes that come at the same time get the same secret. Raises ImproperlyConfigured when the file can't be read
    or written; `otherwise` says what to do about it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            secret = file.read().strip()
            if not secret:
                secret = secrets.token_hex(24)
                file.write(secret + "\n")
                file.flush()
                os.fsync(file.fileno())
            return secret
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"A secret has to be kept in {path}, but: {error}. {otherwise}") from error
