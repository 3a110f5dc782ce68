"""Buffer received bytes in memory or in a file until they are stored or discarded."""

import dataclasses
import hashlib
import io
import os
import secrets
from pathlib import Path
from typing import IO

MAX_MEMORY_BYTES = 256 * 1024


@dataclasses.dataclass(slots=True)
class StagedBlob:
    """Received bytes that are not stored yet: in memory if they are few, else in a file in ``staging/``."""

    size: int
    md5: str
    data: bytes | None = None
    path: Path | None = None

    def read(self) -> bytes:
        """Return all bytes in memory. Check ``size`` first. Raises ValueError after they were stored or discarded."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise ValueError("this blob was already stored or discarded")
        return self.path.read_bytes()

    def open(self) -> IO[bytes]:
        """Open the bytes for reading. Raises ValueError after they were stored or discarded."""
        if self.data is not None:
            return io.BytesIO(self.data)
        if self.path is None:
            raise ValueError("this blob was already stored or discarded")
        return self.path.open("rb")

    def sync(self) -> None:
        """Sync a staged file to disk. The writer itself only syncs blobs that were in memory."""
        if self.path is not None:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def discard(self) -> None:
        """Delete the bytes. After they were stored, this has no effect."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None
        self.data = None


class StagingWriter:
    """Collects bytes of unknown length and hashes them: in memory up to ``MAX_MEMORY_BYTES``, then in a file."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._path: Path | None = None
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self._md5.update(chunk)
        self.size += len(chunk)
        if self._file is not None:
            self._file.write(chunk)
            return
        self._chunks.append(chunk)
        if self.size > MAX_MEMORY_BYTES:
            self._path = self._staging / secrets.token_hex(16)
            self._file = self._path.open("wb")
            self._file.writelines(self._chunks)
            self._chunks.clear()

    def finish(self) -> StagedBlob:
        """Return the collected bytes. The caller must store or discard them."""
        if self._file is None:
            return StagedBlob(self.size, self._md5.hexdigest(), data=b"".join(self._chunks))
        self._file.close()
        return StagedBlob(self.size, self._md5.hexdigest(), path=self._path)

    def abort(self) -> None:
        """Discard the collected bytes."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._chunks.clear()
