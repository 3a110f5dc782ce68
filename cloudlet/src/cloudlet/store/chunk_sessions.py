"""Large uploads under way: which bytes have come, and where they lie. They survive a restart.

A session is a document in the index and a file in ``parts/``. The file is synced before the document says that a part
has come, so what a caller was told is true after ``kill -9`` too. The file stays until the answer to the whole upload
is recorded: a client that lost that answer can ask again.
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

IDLE_S = 3600
MAX_SESSIONS = 1000
_KIND = "chunk_session"
_COPY_BYTES = 1024 * 1024


@dataclasses.dataclass(slots=True)
class ChunkSession:
    """What has come of one large upload, and the names that were answered to its first part.

    ``covered`` holds ranges of bytes, apart from each other and in order. ``touched`` is in seconds since 1970.
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
        merged: list[tuple[int, int]] = []
        for low, high in sorted([*self.covered, (start, end)]):
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        self.covered = merged

    @property
    def is_complete(self) -> bool:
        return self.total is not None and self.covered == [(0, self.total)]

    def document(self) -> dict[str, Json]:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del fields["lock"]
        return fields

    @classmethod
    def from_document(cls, document: dict[str, Json]) -> "ChunkSession":
        covered = [(low, high) for low, high in document["covered"]]
        return cls(**{**document, "covered": covered})


class ChunkSessions:
    """The large uploads under way. Those that nothing came to for ``IDLE_S`` seconds are dropped."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.blobs.parts
        self._sessions: dict[str, ChunkSession] = {}
        for document in documents.every(store.reader, _KIND):
            session = ChunkSession.from_document(document)
            self._sessions[session.upload_id] = session
        dropped = [*self._idle(), *self._without_file()]
        if dropped:
            store.write(lambda transaction: self._forget(transaction, dropped))
        self._sweep()

    def _idle(self) -> list[str]:
        oldest = time.time() - IDLE_S
        idle = [key for key, session in self._sessions.items() if session.touched < oldest]
        for upload_id in idle:
            self._path(self._sessions.pop(upload_id)).unlink(missing_ok=True)
        return idle

    def _without_file(self) -> list[str]:
        """Where the file system knows no hard links, a crash at the very end leaves a session without its file."""
        lost = [
            key
            for key, session in self._sessions.items()
            if session.answer is None and not self._path(session).exists()
        ]
        for upload_id in lost:
            del self._sessions[upload_id]
        return lost

    def _sweep(self) -> None:
        """Files of a first part that was never acknowledged, and of uploads that are finished."""
        wanted = {session.file for session in self._sessions.values() if session.answer is None}
        for path in self._folder.iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    @staticmethod
    def _forget(transaction: Transaction, upload_ids: list[str]) -> None:
        for upload_id in upload_ids:
            documents.delete(transaction, _KIND, upload_id)

    def _path(self, session: ChunkSession) -> Path:
        return self._folder / session.file

    async def expire(self) -> None:
        """Drops what was abandoned."""
        idle = self._idle()
        if idle:
            await self._store.write_async(lambda transaction: self._forget(transaction, idle))

    def find(self, upload_id: str) -> ChunkSession | None:
        session = self._sessions.get(upload_id)
        if session is not None:
            session.touched = time.time()
        return session

    def begin(self, upload_id: str, *, public_id: str, asset_folder: str, filename: str | None) -> ChunkSession:
        if sum(session.answer is None for session in self._sessions.values()) >= MAX_SESSIONS:
            raise bad_request("Too many chunked uploads are under way")
        file = self._store.blobs.staging_path().name
        session = ChunkSession(upload_id, file, public_id, asset_folder, filename, touched=time.time())
        self._sessions[upload_id] = session
        return session

    async def add(self, session: ChunkSession, part: StagedBlob, start: int, total: int | None) -> None:
        """Takes the bytes from ``start`` on, durably. Call it, and what follows, under the session's lock."""
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

    def assembled(self, session: ChunkSession) -> StagedBlob:
        """The whole file, staged. Blocks: it is read once for its digest."""
        return self._store.blobs.stage_copy(self._path(session))

    async def finish(self, session: ChunkSession, answer: Json) -> None:
        """Keeps the answer, for a client that asks again, instead of the file."""
        session.answer = answer
        await self._save(session)
        self._path(session).unlink(missing_ok=True)

    async def drop(self, session: ChunkSession) -> None:
        self._sessions.pop(session.upload_id, None)
        await self._store.write_async(lambda transaction: self._forget(transaction, [session.upload_id]))
        self._path(session).unlink(missing_ok=True)
