"""Read request bodies of all types into parameters and a staged file."""

import dataclasses
import json
import math
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qsl

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from cloudlet.errors import ApiError, bad_request
from cloudlet.staging import StagedBlob, StagingWriter
from cloudlet.web.multipart_body import MAX_FIELDS, MAX_FIELDS_BYTES, MultipartReader
from cloudlet.web.params import Params

MAX_BOUNDARY_LENGTH = 200  # RFC 2046 allows 70, python-multipart fails beyond 256
MAX_SMALL_BODY_BYTES = 256 * 1024
"""Bodies up to this size are read completely before they are parsed."""


@dataclasses.dataclass(slots=True)
class Form:
    """A parsed body. ``file`` is the part of that name. ``filename`` is None if it was sent as a plain field."""

    params: Params
    file: StagedBlob | None = None
    filename: str | None = None

    def discard(self) -> None:
        """Discard the received file, unless it was stored."""
        if self.file is not None:
            self.file.discard()


async def read_form(request: Request, stage: Callable[[], StagingWriter], max_file_bytes: int) -> Form:
    """Read the body of an API call, multipart, urlencoded or JSON, and the query string.

    Raises ApiError 400 if the body is malformed, incomplete or its file is too large, and 413 if its fields are.
    """
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    query = request.query_params.multi_items()
    if content_type == b"multipart/form-data":
        return await _read_multipart(request, options.get(b"boundary", b""), query, stage, max_file_bytes)
    body = await read_limited(request, MAX_FIELDS_BYTES)
    if content_type == b"application/json":
        return Form(Params.from_pairs(query).with_overrides(_json_object(body)))
    return Form(Params.from_pairs([*query, *_urlencoded(body)]))


async def _read_multipart(
    request: Request,
    boundary: bytes,
    query: list[tuple[str, str]],
    stage: Callable[[], StagingWriter],
    max_file_bytes: int,
) -> Form:
    if not boundary:
        raise bad_request("Invalid multipart body: no boundary")
    if len(boundary) > MAX_BOUNDARY_LENGTH:
        raise bad_request(f"Invalid multipart body: a boundary has at most {MAX_BOUNDARY_LENGTH} characters")
    reader = MultipartReader(boundary, stage, max_file_bytes)
    try:
        if _announced_size(request) <= MAX_SMALL_BODY_BYTES:
            reader.read(await read_limited(request, MAX_SMALL_BODY_BYTES))
        else:
            async for chunk in request.stream():
                if chunk:
                    reader.feed(chunk)
        if not reader.ended:
            raise bad_request("Invalid multipart body: it ends before its last boundary")
    except MultipartParseError as error:
        reader.abort()
        raise bad_request(f"Invalid multipart body: {error}") from error
    except ClientDisconnect as error:
        reader.abort()
        raise bad_request("Invalid multipart body: the client went away") from error
    except BaseException:
        reader.abort()
        raise
    return Form(Params.from_pairs([*query, *reader.pairs]), reader.file, reader.filename)


def _announced_size(request: Request) -> float:
    """Return the Content-Length, which the HTTP server enforces, or infinity without one."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else math.inf


async def read_limited(request: Request, limit: int) -> bytes:
    """Read the whole body. Raises ApiError 413 as soon as it exceeds ``limit`` bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise ApiError(413, f"Request body too large. Maximum is {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _json_object(body: bytes) -> dict[str, object]:
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request("Invalid JSON in request body") from error
    if not isinstance(parsed, dict):
        raise bad_request("Invalid JSON in request body: must be an object")
    return cast(dict[str, object], parsed)


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise bad_request("Invalid form body") from error
