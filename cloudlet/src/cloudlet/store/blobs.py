"""Bytes on disk. A blob is written once, under a unique name, and never changed.

Layout of the data directory: ``staging/`` holds files that are being received and is emptied at each start. ``parts/``
holds chunked uploads, which survive a restart. ``blobs/<shard>/<name>`` are the finished files. Each start begins a new
shard, as does a shard with ``SHARD_FILES`` files, so the sweep of older shards never races with a write.
"""

import dataclasses
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloudlet.staging import StagedBlob, StagingWriter

SHARD_FILES = 2000
SYNC_THREADS = 16


class BlobStore:
    """The directories of one data folder."""

    def __init__(self, root: Path) -> None:
        self.staging = root / "staging"
        self.parts = root / "parts"
        self.blobs = root / "blobs"
        shutil.rmtree(self.staging, ignore_errors=True)
        for directory in (self.staging, self.parts, self.blobs):
            directory.mkdir(parents=True, exist_ok=True)
        self._old_shards = self._shards(self.blobs)
        self._shard_number = max((int(path.name) for path in self._old_shards), default=0)
        self._in_shard = SHARD_FILES
        self._syncers = ThreadPoolExecutor(SYNC_THREADS, "cloudlet-sync")

    @staticmethod
    def _shards(directory: Path) -> list[Path]:
        return sorted(path for path in directory.iterdir() if path.is_dir() and path.name.isdigit())

    def stage(self) -> StagingWriter:
        return StagingWriter(self.staging)

    def staging_path(self) -> Path:
        """Return an unused path in the staging folder, for a file that the caller writes."""
        return self.staging / secrets.token_hex(16)

    def stage_bytes(self, data: bytes) -> StagedBlob:
        writer = self.stage()
        writer.write(data)
        return writer.finish()

    def stage_copy(self, path: Path) -> StagedBlob:
        """Stage the bytes of a file of the store without copying them. The file must not be written to afterwards.

        The staged file is a hard link. On file systems without hard links, the file is moved instead.
        """
        staged = self.staging_path()
        try:
            os.link(path, staged)
        except OSError:
            path.rename(staged)
        with staged.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return StagedBlob(staged.stat().st_size, digest, path=staged)

    def sync_parts(self) -> None:
        """Sync the directory ``parts/``."""
        _sync_directory(self.parts)

    def path(self, name: str) -> Path:
        """Return the path of the blob ``name`` (``shard/hex``). Names come from the index, never from a request."""
        return self.blobs / name

    def persist(self, staged: StagedBlob) -> "Persisted":
        """Move staged bytes to their final name. They are durable only after :meth:`sync`. Writer thread only."""
        shard = self._next_shard()
        name = secrets.token_hex(16)
        descriptor = None
        source = staged.path
        if source is None:
            source = self.staging / name
            descriptor = _write(source, staged.data or b"")
        source.rename(shard / name)
        staged.path = None
        staged.data = None
        return Persisted(f"{shard.name}/{name}", descriptor)

    def sync(self, persisted: Sequence["Persisted"]) -> None:
        """Sync bytes and directories concurrently, so that the fsyncs share one commit of the file system.

        Measured on a busy disk, 16 small files took 5 ms this way and 91 ms one after another.
        """
        if not persisted:
            return
        descriptors = [item.descriptor for item in persisted if item.descriptor is not None]
        shards = {item.name.partition("/")[0] for item in persisted}
        try:
            descriptors += [os.open(self.blobs / shard, os.O_RDONLY) for shard in shards]
            *others, last = descriptors
            running = [self._syncers.submit(os.fsync, descriptor) for descriptor in others]
            os.fsync(last)
            for sync in running:
                sync.result()
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _next_shard(self) -> Path:
        if self._in_shard >= SHARD_FILES:
            self._shard_number += 1
            self._in_shard = 0
            (self.blobs / f"{self._shard_number:06d}").mkdir(exist_ok=True)
            _sync_directory(self.blobs)
        self._in_shard += 1
        return self.blobs / f"{self._shard_number:06d}"

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def close(self) -> None:
        self._syncers.shutdown()

    def sweep(self, referenced: set[str]) -> int:
        """Delete the files that a crash between rename and commit left behind, and return their number.

        These are the files in older shards whose names are not in ``referenced``.
        """
        removed = 0
        for shard in self._old_shards:
            for path in shard.iterdir():
                if f"{shard.name}/{path.name}" not in referenced:
                    path.unlink(missing_ok=True)
                    removed += 1
        return removed


@dataclasses.dataclass(frozen=True, slots=True)
class Persisted:
    """A blob under its final name. ``descriptor`` is open if its bytes still have to be synced."""

    name: str
    descriptor: int | None


def _write(path: Path, data: bytes) -> int:
    """Write ``data`` to a new file and return its open descriptor."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
