"""The API secret of a data folder: random, made at the first start, kept in the folder for its owner alone."""

import os
import secrets
import tempfile
from pathlib import Path

from cloudlet.config import ConfigError

FILE_NAME = "api-secret"
SECRET_BYTES = 24


def keep(folder: Path) -> str:
    """Return the secret that ``folder`` holds, after making one where there is none.

    It is linked to its name as a whole, so that processes that come at the same time get the same secret. Raises
    ConfigError when it can't be read or written.
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
        return  # another process was first
    finally:
        os.unlink(temporary)


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
