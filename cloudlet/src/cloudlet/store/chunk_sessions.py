"""Chunked uploads in progress. They survive a restart.

A session is a document in the index and a file in ``parts/``. The file is synced before the document records a chunk,
so an acknowledged chunk survives ``kill -9``. The file is kept until the response to the whole upload is recorded, so
that a client that lost the response can retry.
"""

import asyncio
import dataclasses
import os
import time
from pathlib import Path

from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.staging import StagedBlob
from cloudlet.store import Store, Transaction, documents

IDLE_SECONDS = 3600
MAX_SESSIONS = 1000
_KIND = "chunk_session"
_COPY_BYTES = 1024 * 1024


@dataclasses.dataclass(slots=True)
class ChunkSession:
    """The state of one chunked upload, and the names that the response to its first chunk contained.

    ``covered`` holds the received ranges of bytes, disjoint and in order. ``touched`` is the time of the last request,
    in seconds since 1970. ``answer`` is the response to the whole upload, once there is one.
    """

    upload_id: str
    file: str
    public_id: str
    asset_folder: str
    filename: str | None
    total: int | None = None
    covered: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    touched: float = 0.0
    answer: Json = None
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock, compare=False)

    def cover(self, start: int, end: int) -> None:
        """Record that the bytes from ``start`` up to but not including ``end`` were received."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted([*self.covered, (start, end)]):
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        self.covered = merged

    @property
    def is_complete(self) -> bool:
        """Whether all bytes were received."""
        return self.total is not None and self.covered == [(0, self.total)]

    def document(self) -> dict[str, Json]:
        """Return the session as the document that the index stores."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del fields["lock"]
        return fields

    @classmethod
    def from_document(cls, document: dict[str, Json]) -> "ChunkSession":
        covered = [(low, high) for low, high in document["covered"]]
        return cls(**{**document, "covered": covered})


class ChunkSessions:
    """The chunked uploads in progress. They expire ``IDLE_SECONDS`` after their last request."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.blobs.parts
        self._sessions: dict[str, ChunkSession] = {}
        for document in documents.list_all(store.reader, _KIND):
            session = ChunkSession.from_document(document)
            self._sessions[session.upload_id] = session
        dropped = [*self._remove_idle(), *self._remove_without_file()]
        if dropped:
            store.write(lambda transaction: self._delete_documents(transaction, dropped))
        self._sweep()

    def _remove_idle(self) -> list[str]:
        oldest = time.time() - IDLE_SECONDS
        idle = [key for key, session in self._sessions.items() if session.touched < oldest]
        for upload_id in idle:
            self._path(self._sessions.pop(upload_id)).unlink(missing_ok=True)
        return idle

    def _remove_without_file(self) -> list[str]:
        """Remove sessions without a file and return their ids.

        On file systems without hard links, a crash while an upload is finished leaves such a session.
        """
        lost = [
            key
            for key, session in self._sessions.items()
            if session.answer is None and not self._path(session).exists()
        ]
        for upload_id in lost:
            del self._sessions[upload_id]
        return lost

    def _sweep(self) -> None:
        """Delete the files of uploads that are finished or whose first chunk was never acknowledged."""
        wanted = {session.file for session in self._sessions.values() if session.answer is None}
        for path in self._folder.iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    @staticmethod
    def _delete_documents(transaction: Transaction, upload_ids: list[str]) -> None:
        for upload_id in upload_ids:
            documents.delete(transaction, _KIND, upload_id)

    def _path(self, session: ChunkSession) -> Path:
        return self._folder / session.file

    async def expire(self) -> None:
        """Delete the sessions that were idle for too long."""
        idle = self._remove_idle()
        if idle:
            await self._store.write_async(lambda transaction: self._delete_documents(transaction, idle))

    def find(self, upload_id: str) -> ChunkSession | None:
        """Return a session and postpone its expiry, or None if there is none of that id."""
        session = self._sessions.get(upload_id)
        if session is not None:
            session.touched = time.time()
        return session

    def begin(self, upload_id: str, *, public_id: str, asset_folder: str, filename: str | None) -> ChunkSession:
        """Create a session. Raises ApiError 400 if there are ``MAX_SESSIONS`` unfinished ones."""
        if sum(session.answer is None for session in self._sessions.values()) >= MAX_SESSIONS:
            raise bad_request("Too many chunked uploads are under way")
        file = self._store.blobs.staging_path().name
        session = ChunkSession(upload_id, file, public_id, asset_folder, filename, touched=time.time())
        self._sessions[upload_id] = session
        return session

    async def add(self, session: ChunkSession, part: StagedBlob, start: int, total: int | None) -> None:
        """Store a chunk durably at the offset ``start``. The caller must hold the session's lock until the response."""
        await asyncio.to_thread(self._write_part, session, part, start)
        session.cover(start, start + part.size)
        session.total = total if total is not None else session.total
        await self._save(session)

    def _write_part(self, session: ChunkSession, part: StagedBlob, offset: int) -> None:
        path = self._path(session)
        is_new = not path.exists()
        with path.open("w+b" if is_new else "r+b") as file, part.open() as chunk:
            file.seek(offset)
            while data := chunk.read(_COPY_BYTES):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            self._store.blobs.sync_parts()

    async def _save(self, session: ChunkSession) -> None:
        document = session.document()
        await self._store.write_async(
            lambda transaction: documents.save(transaction, _KIND, session.upload_id, document, position=0)
        )

    def assemble(self, session: ChunkSession) -> StagedBlob:
        """Return the whole file, staged. It blocks while it reads the file for its digest."""
        return self._store.blobs.stage_copy(self._path(session))

    async def finish(self, session: ChunkSession, answer: Json) -> None:
        """Record the response for a client that retries, and delete the file."""
        session.answer = answer
        await self._save(session)
        self._path(session).unlink(missing_ok=True)

    async def drop(self, session: ChunkSession) -> None:
        """Delete the session and its file."""
        self._sessions.pop(session.upload_id, None)
        await self._store.write_async(lambda transaction: self._delete_documents(transaction, [session.upload_id]))
        self._path(session).unlink(missing_ok=True)
