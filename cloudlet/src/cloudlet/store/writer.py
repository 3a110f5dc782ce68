"""The thread that writes the index. Concurrent writes share one commit and its fsync (group commit).

Durability depends on the order: write and rename the bytes, sync bytes and directory, commit and sync the index, and
only then resolve the caller's future. A file is not visible before the index refers to it.
"""

import asyncio
import dataclasses
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from cloudlet.staging import StagedBlob
from cloudlet.store.blobs import BlobStore, Persisted

MAX_BATCH_JOBS = 64

log = logging.getLogger("cloudlet.store")


class Transaction:
    """What a job may change: rows of the index, and the blobs that lose their last reference when it commits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.discarded: list[str] = []

    def execute(self, sql: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, parameters)

    def discard(self, blob: str) -> None:
        """Delete a blob after the commit. An empty name is ignored."""
        if blob:
            self.discarded.append(blob)


Job = Callable[[Transaction, str], Any]
Waiter = Future[Any] | asyncio.Future[Any]


@dataclasses.dataclass(slots=True)
class _Item:
    job: Job
    staged: StagedBlob | None
    waiter: Waiter
    persisted: Persisted | None = None
    result: Any = None
    error: BaseException | None = None
    discarded: list[str] = dataclasses.field(default_factory=list)

    @property
    def blob(self) -> str:
        return self.persisted.name if self.persisted else ""


class Writer:
    """Runs jobs on one thread, each in a savepoint of a shared transaction."""

    def __init__(self, connection: sqlite3.Connection, blobs: BlobStore) -> None:
        self._connection = connection
        self._blobs = blobs
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="cloudlet-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job, staged: StagedBlob | None = None) -> "Future[Any]":
        """Queue ``job(transaction, blob_name)``. The future resolves once its effects are durable."""
        future: Future[Any] = Future()
        self._queue.put(_Item(job, staged, future))
        return future

    def submit_async(self, job: Job, staged: StagedBlob | None = None) -> "asyncio.Future[Any]":
        """Do what :meth:`submit` does, with a future of the running event loop. A batch wakes the loop only once."""
        future = asyncio.get_running_loop().create_future()
        self._queue.put(_Item(job, staged, future))
        return future

    def close(self) -> None:
        """Finish the queued jobs, then stop the thread."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()
        self._blobs.close()

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch, stopping = self._drain(first)
            self._write(batch)
            if stopping:
                return

    def _drain(self, first: _Item) -> tuple[list[_Item], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH_JOBS:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _write(self, queued: list[_Item]) -> None:
        batch = [item for item in queued if self._start_unless_cancelled(item)]
        for item in batch:
            self._persist(item)
        try:
            self._blobs.sync([item.persisted for item in batch if item.persisted])
            self._connection.execute("BEGIN IMMEDIATE")
            for item in batch:
                if item.error is None:
                    self._apply(item)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            log.exception("a batch of %d writes failed", len(batch))
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for item in batch:
                item.error = item.error or error
        self._finish(batch)

    @staticmethod
    def _start_unless_cancelled(item: _Item) -> bool:
        if isinstance(item.waiter, Future):
            wanted = item.waiter.set_running_or_notify_cancel()
        else:
            wanted = not item.waiter.cancelled()
        if not wanted and item.staged is not None:
            item.staged.discard()
        return wanted

    def _persist(self, item: _Item) -> None:
        if item.staged is None:
            return
        try:
            item.persisted = self._blobs.persist(item.staged)
        except OSError as error:
            item.error = error

    def _apply(self, item: _Item) -> None:
        transaction = Transaction(self._connection)
        self._connection.execute("SAVEPOINT job")
        try:
            item.result = item.job(transaction, item.blob)
        except Exception as error:  # noqa: BLE001 - handed to the caller through its future
            self._connection.execute("ROLLBACK TO job")
            item.error = error
        else:
            item.discarded = transaction.discarded
        self._connection.execute("RELEASE job")

    def _finish(self, batch: list[_Item]) -> None:
        """Resolve the futures, then delete the blobs that no row refers to any more."""
        loops: dict[asyncio.AbstractEventLoop, list[_Item]] = {}
        for item in batch:
            if isinstance(item.waiter, Future):
                _resolve_future(item)
            else:
                loops.setdefault(item.waiter.get_loop(), []).append(item)
        for loop, items in loops.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve_futures, items)
        for item in batch:
            self._blobs.remove(item.discarded if item.error is None else [item.blob] if item.blob else [])


def _resolve_futures(items: list[_Item]) -> None:
    for item in items:
        if not item.waiter.done():  # it may have been cancelled meanwhile
            _resolve_future(item)


def _resolve_future(item: _Item) -> None:
    if item.error is None:
        item.waiter.set_result(item.result)
    else:
        item.waiter.set_exception(item.error)
