"""The API secret of a data folder: random, made at the first start, kept in the folder for its owner alone."""

import fcntl
import os
import secrets
from pathlib import Path

from cloudlet.config import ConfigError

FILE_NAME = "api-secret"
SECRET_BYTES = 24


def keep(folder: Path) -> str:
    """Return the secret that ``folder`` holds, after making one where there is none.

    Processes that come at the same time get the same secret. Raises ConfigError when it can't be read or written.
    """
    path = folder / FILE_NAME
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            secret = file.read().strip()
            if not secret:
                secret = secrets.token_hex(SECRET_BYTES)
                file.write(secret + "\n")
                file.flush()
                os.fsync(file.fileno())
            return secret
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot keep an API secret in {path} ({error}); give one in $CLOUDLET_SECRET") from error


def prepare_folder(folder: Path) -> None:
    """Make the data folder, or close an older one to other accounts. A folder with foreign files stays as it is.

    Raises ConfigError when it can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_ours = (folder / "index.sqlite3").exists() or next(folder.iterdir(), None) is None
        status = folder.stat()
        if is_ours and status.st_mode & 0o077 and status.st_uid == os.geteuid():
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"cannot use the data folder {folder} ({error.strerror}); choose another --data") from error
