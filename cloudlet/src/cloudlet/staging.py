"""Bytes that are coming in: collected in memory or in a file, until they are stored or thrown away."""

import dataclasses
import hashlib
import io
import os
import secrets
from pathlib import Path
from typing import IO

MEMORY_LIMIT = 256 * 1024


@dataclasses.dataclass(slots=True)
class StagedBlob:
    """Received bytes that no index row names yet: in memory when small, else a file in ``staging/``."""

    size: int
    md5: str
    data: bytes | None = None
    path: Path | None = None

    def read(self) -> bytes:
        """All bytes; only for callers that know the size to be sane."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise ValueError("this blob was already stored or discarded")
        return self.path.read_bytes()

    def open(self) -> IO[bytes]:
        """The bytes, open for reading."""
        if self.data is not None:
            return io.BytesIO(self.data)
        if self.path is None:
            raise ValueError("this blob was already stored or discarded")
        return self.path.open("rb")

    def sync(self) -> None:
        """Brings a large staged file to the disk before it waits for the index."""
        if self.path is not None:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def discard(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None
        self.data = None


class StagingWriter:
    """Collects bytes of unknown length: memory up to ``MEMORY_LIMIT``, then a file. Hashes as it goes."""

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
        if self.size > MEMORY_LIMIT:
            self._path = self._staging / secrets.token_hex(16)
            self._file = self._path.open("wb")
            self._file.writelines(self._chunks)
            self._chunks.clear()

    def finish(self) -> StagedBlob:
        if self._file is None:
            return StagedBlob(self.size, self._md5.hexdigest(), data=b"".join(self._chunks))
        self._file.close()
        return StagedBlob(self.size, self._md5.hexdigest(), path=self._path)

    def abort(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._chunks.clear()
