"""Chunked uploads (``upload_large``): requests with ``Content-Range`` and a common ``X-Unique-Upload-Id``.

Parts may arrive in any order and repeatedly, and the server may restart between them. Each part is written to one file
at its offset, in constant memory. The upload is complete when its total size is known and all bytes were received.
"""

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request

from cloudlet.errors import bad_request, too_large
from cloudlet.model import Json
from cloudlet.store.chunk_sessions import ChunkSession
from cloudlet.upload_api import naming
from cloudlet.upload_api.file_parameter import UploadedFile
from cloudlet.upload_api.upload_call import UploadCall

MIN_PART_BYTES = 5 * 1024 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(-1|\*|\d{1,15})")

Finish = Callable[[UploadCall, UploadedFile], Awaitable[Json]]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """The bytes ``start`` to ``end`` (exclusive) of ``total`` bytes. ``total`` is None while it is unknown."""

    upload_id: str
    start: int
    end: int
    total: int | None


def part_of(request: Request) -> Part | None:
    """Return the part that a request contains, or None if it is not chunked. Raises ApiError 400 if it is malformed."""
    content_range = request.headers.get("content-range")
    upload_id = request.headers.get("x-unique-upload-id", "")
    if content_range is None:
        return None
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    if match is None or not 0 < len(upload_id) <= 255:
        raise bad_request("Invalid chunked upload: needs Content-Range: bytes FIRST-LAST/TOTAL and X-Unique-Upload-Id")
    start, end = int(match.group(1)), int(match.group(2)) + 1
    total = int(match.group(3)) if match.group(3).isdigit() else None
    if end <= start or (total is not None and end > total):
        raise bad_request(f"Invalid Content-Range {content_range}")
    return Part(upload_id, start, end, total)


async def receive(call: UploadCall, source: UploadedFile, part: Part, finish: Finish) -> Json:
    """Store one part. The response to the last missing part is that of ``finish`` for the whole upload.

    Raises ApiError 400 if the part does not fill its range, is too small or exceeds the size limit.
    """
    if source.blob.size != part.end - part.start:
        raise bad_request(f"Invalid chunk: {source.blob.size} bytes do not fill its Content-Range")
    if part.end != part.total and source.blob.size < MIN_PART_BYTES:
        raise bad_request("All parts except EOF-chunk must be larger than 5mb")
    size, limit = max(part.end, part.total or 0), call.settings.max_upload_bytes
    if size > limit:
        raise too_large(size, limit)
    sessions = call.services.chunk_sessions
    await sessions.expire()
    session = sessions.find(part.upload_id)
    if session is None:
        names = naming.choose(call.params, source.filename, call.resource_type, call.settings.folder_mode)
        session = sessions.begin(
            part.upload_id, public_id=names.public_id, asset_folder=names.asset_folder, filename=source.filename
        )
    async with session.lock:
        if session.answer is not None:
            return session.answer
        if not session.is_complete:  # after a crash before `finish`, a retry must not change the complete file
            await sessions.add(session, source.blob, part.start, part.total)
        if not session.is_complete:
            return {"done": False, "public_id": session.public_id, "bytes": part.end, "kind": "upload_part"}
        return await _finish_upload(call, session, finish)


async def _finish_upload(call: UploadCall, session: ChunkSession, finish: Finish) -> Json:
    sessions = call.services.chunk_sessions
    try:
        whole = await asyncio.to_thread(sessions.assemble, session)
        call.form.discard()
        call.form.file = whole
        call.params = call.params.with_overrides(_fixed_names(call, session))
        answer = {**await finish(call, UploadedFile(whole, session.filename)), "done": True}
    except BaseException:
        await sessions.drop(session)
        raise
    await sessions.finish(session, answer)
    return answer


def _fixed_names(call: UploadCall, session: ChunkSession) -> dict[str, Json]:
    """Return parameters that keep the public id of the first part's response. It includes the folder already."""
    overrides: dict[str, Json] = {"public_id": session.public_id, "folder": None, "public_id_prefix": None}
    overrides["use_asset_folder_as_public_id_prefix"] = None
    if call.settings.folder_mode == "dynamic":
        overrides["asset_folder"] = session.asset_folder
    return overrides
