"""Serve stored bytes over HTTP, with caching, conditional and range requests, and a sandbox for active content."""

import asyncio
import contextlib
import email.utils
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import IO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cloudlet.errors import ApiError
from cloudlet.model import Asset, Derived
from cloudlet.store import Store
from cloudlet.web.headers import content_disposition, header_text
from cloudlet.web.media_types import is_active, media_type

CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The content of a response. `modified` is in seconds since 1970.

    `immutable` is set if the URL contains the current version, so that the response may be cached for long. `shared` is
    set if shared caches may store it.
    """

    file: Asset | Derived
    format: str
    name: str
    modified: float
    immutable: bool
    shared: bool = True
    attachment: str | None = None
    vary_accept: bool = False
    warning: str = ""


def respond(request: Request, store: Store, delivered: Delivered) -> Response:
    """Return a response with status 200, 206 or 304.

    The file is opened before the response starts, so that an overwrite cannot change it midway. Raises ApiError 404 if
    the file does not exist any more, and 416 if the range is not satisfiable.
    """
    headers = _headers(delivered)
    if _is_fresh(request, headers):
        return Response(None, 304, {name: value for name, value in headers.items() if name != "Content-Type"})
    stack = contextlib.ExitStack()
    file = stack.enter_context(store.open(delivered.file))
    size = delivered.file.bytes
    status, start, end = _range(request, headers, size)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        stack.close()
        return Response(None, status, headers)
    file.seek(start)
    if end - start <= CHUNK_BYTES:
        with stack:
            return Response(file.read(end - start), status, headers)
    return StreamingResponse(_chunks(stack, file, end - start), status, headers)


async def _chunks(stack: contextlib.ExitStack, file: IO[bytes], length: int) -> AsyncIterator[bytes]:
    with stack:
        while length > 0 and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk


def _headers(delivered: Delivered) -> dict[str, str]:
    audience = "public" if delivered.shared else "private"
    age = "immutable, max-age=2592000" if delivered.immutable else "max-age=0, must-revalidate"
    headers = {
        "Content-Type": media_type(delivered.format, delivered.name),
        "ETag": f'"{delivered.file.etag}"',
        "Last-Modified": email.utils.formatdate(delivered.modified, usegmt=True),
        "Cache-Control": f"{audience}, no-transform, {age}",
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if is_active(headers["Content-Type"]):
        headers["Content-Security-Policy"] = _SANDBOX
    if delivered.vary_accept:
        headers["Vary"] = "Accept"
    if delivered.attachment is not None:
        headers["Content-Disposition"] = content_disposition(delivered.attachment)
    if delivered.warning:
        headers["X-Cld-Error"] = header_text(delivered.warning)
    return headers


def _is_fresh(request: Request, headers: Mapping[str, str]) -> bool:
    if (tags := request.headers.get("if-none-match")) is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or headers["ETag"] in known
    if (since := request.headers.get("if-modified-since")) is not None:
        with contextlib.suppress(ValueError, TypeError):
            modified = email.utils.parsedate_to_datetime(headers["Last-Modified"])
            return modified <= email.utils.parsedate_to_datetime(since)
    return False


def _range(request: Request, headers: Mapping[str, str], size: int) -> tuple[int, int, int]:
    """Return the status, the first byte and the byte after the last. Multiple ranges get the whole file."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    condition = request.headers.get("if-range")
    if match is None or match[0] == "bytes=-" or condition not in (None, headers["ETag"], headers["Last-Modified"]):
        return 200, 0, size
    first, last = match[1], match[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
    if start >= size or start >= end:
        raise ApiError(416, "Requested range not satisfiable", {"Content-Range": f"bytes */{size}"})
    return 206, start, end
