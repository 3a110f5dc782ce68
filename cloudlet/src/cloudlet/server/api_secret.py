"""The API secret of a data folder, generated at the first start and stored in a file that only its owner can read."""

import os
import secrets
import tempfile
from pathlib import Path

from cloudlet.config import ConfigError

FILE_NAME = "api-secret"
SECRET_BYTES = 24


def load_or_create(folder: Path) -> str:
    """Return the secret in ``folder``, and create one if there is none.

    The file is created atomically, so that concurrent processes get the same secret. Raises ConfigError if it cannot be
    read or written.
    """
    path = folder / FILE_NAME
    try:
        if not path.exists():
            _make(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot keep an API secret in {path} ({error}); give one in $CLOUDLET_SECRET") from error
    if not secret:
        raise ConfigError(f"{path} is empty; delete it, or give an API secret in $CLOUDLET_SECRET")
    return secret


def _make(path: Path) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    except FileExistsError:
        return  # another process has created it meanwhile
    finally:
        os.unlink(temporary)


def prepare_folder(folder: Path) -> None:
    """Create the data folder for this account only, and restrict an existing one to it.

    The permissions of a folder with other files are not changed. Raises ConfigError if the folder cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_ours = (folder / "index.sqlite3").exists() or next(folder.iterdir(), None) is None
        status = folder.stat()
        if is_ours and status.st_mode & 0o077 and status.st_uid == os.geteuid():
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"cannot use the data folder {folder} ({error.strerror}); choose another --data") from error
