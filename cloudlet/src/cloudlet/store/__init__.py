"""The asset store: bytes as files, all else in one SQLite index. It survives ``kill -9`` and restarts."""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

from cloudlet.config import ConfigError
from cloudlet.errors import not_found
from cloudlet.model import Asset, Derived
from cloudlet.staging import StagedBlob, StagingWriter
from cloudlet.store import assets, derived, schema
from cloudlet.store.blobs import BlobStore
from cloudlet.store.writer import Transaction, Writer

__all__ = ["Store", "Transaction"]

T = TypeVar("T")

log = logging.getLogger("cloudlet.store")

_ALL_BLOBS = "SELECT blob FROM assets UNION SELECT blob FROM backups UNION SELECT blob FROM derived"


class Store:
    """One data folder.

    Reads run on the caller's thread. Writes run on the writer's thread and return when they are durable. Raises
    ConfigError if another process uses the folder.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock_folder(root / "lock")
        self.blobs = BlobStore(root)
        self._path = root / "index.sqlite3"
        connection = schema.connect(self._path, read_only=False)
        schema.create(connection, self._path)
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._writer = Writer(connection, self.blobs)
        self._sweeper = threading.Thread(target=self._sweep, name="cloudlet-sweep", daemon=True)
        self._sweeper.start()

    # ------------------------------------------------------------------------------------------- reading

    @property
    def reader(self) -> sqlite3.Connection:
        """The read-only connection of the current thread."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = schema.connect(self._path, read_only=True)
            self._local.connection = connection
            self._readers.append(connection)
        return connection

    def get(self, resource_type: str, type_: str, public_id: str) -> Asset | None:
        """Return the asset of that identity, or None. It may be the placeholder of a deleted asset."""
        return assets.find(self.reader, resource_type, type_, public_id)

    def get_by_asset_id(self, asset_id: str) -> Asset | None:
        """Return the asset of that id, or None. It may be the placeholder of a deleted asset."""
        return assets.find_by_asset_id(self.reader, asset_id)

    def path(self, asset: Asset | Derived) -> Path:
        """Return the path of the file. Prefer :meth:`open`, since the file is deleted when the asset is overwritten."""
        return self.blobs.path(asset.blob)

    @contextlib.contextmanager
    def open(self, asset: Asset | Derived) -> Iterator[IO[bytes]]:
        """Open the bytes for reading. They stay readable until closed, even if the asset is overwritten or deleted.

        Raises ApiError 404 if the asset was deleted or replaced since it was looked up.
        """
        try:
            file = self.path(asset).open("rb")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise not_found("Resource not found") from error
        with file:
            yield file

    def get_derived(self, asset: Asset, transformation: str, format_: str) -> Derived | None:
        """Return the derived file of this version of the asset, or None."""
        return derived.find(self.reader, asset, transformation, format_)

    # ------------------------------------------------------------------------------------------- writing

    def stage(self) -> StagingWriter:
        """Return a writer for bytes that are being received."""
        return self.blobs.stage()

    def write(self, job: Callable[[Transaction], T], timeout: float = 60) -> T:
        """Run ``job`` in a transaction of the index and return its result once it is durable.

        Raises what ``job`` raises, and TimeoutError after ``timeout`` seconds.
        """
        result: T = self._writer.submit(lambda transaction, _: job(transaction)).result(timeout)
        return result

    async def write_async(self, job: Callable[[Transaction], T]) -> T:
        """Do what :meth:`write` does, for callers on the event loop."""
        result: T = await self._writer.submit_async(lambda transaction, _: job(transaction))
        return result

    def write_blob(self, staged: StagedBlob, job: Callable[[Transaction, str], T], timeout: float = 60) -> T:
        """Store bytes and run ``job(transaction, blob_name)`` atomically. Return its result once both are durable."""
        staged.sync()
        result: T = self._writer.submit(job, staged).result(timeout)
        return result

    async def write_blob_async(self, staged: StagedBlob, job: Callable[[Transaction, str], T]) -> T:
        """Do what :meth:`write_blob` does, for callers on the event loop."""
        if staged.path is not None:
            await asyncio.to_thread(staged.sync)
        result: T = await self._writer.submit_async(job, staged)
        return result

    def put_derived(
        self,
        asset: Asset,
        transformation: str,
        format_: str,
        data: bytes,
        *,
        width: int | None = None,
        height: int | None = None,
    ) -> Derived | None:
        """Store a derived file. Return None, and store nothing, if the asset has changed meanwhile."""
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        record = derived.new(asset, transformation, format_, len(data), etag)
        record.width, record.height = width, height

        def job(transaction: Transaction, blob: str) -> Derived | None:
            record.blob = blob
            return derived.save(transaction, record)

        return self.write_blob(self.blobs.stage_bytes(data), job)

    def trim_derived(self, max_bytes: int) -> int:
        """Delete the oldest derived files until the rest fit into ``max_bytes``. Return how many were deleted."""
        return self.write(lambda transaction: derived.trim(transaction, max_bytes))

    # ----------------------------------------------------------------------------------------- housekeeping

    def close(self) -> None:
        """Finish pending writes, and release the data folder."""
        self._sweeper.join()
        self._writer.close()
        for connection in self._readers:
            connection.close()
        self._lock_file.close()

    def _sweep(self) -> None:
        connection = schema.connect(self._path, read_only=True)
        try:
            rows = connection.execute(_ALL_BLOBS)
            removed = self.blobs.sweep({row[0] for row in rows})
        finally:
            connection.close()
        if removed:
            log.info("removed %d files that an interrupted run left behind", removed)


def _lock_folder(path: Path) -> IO[bytes]:
    """Lock the data folder for this process, because two writers would delete each other's files.

    Raises ConfigError if another process holds the lock.
    """
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ConfigError(f"{path.parent} is in use by another cloudlet; stop it or give another --data") from error
    return file
