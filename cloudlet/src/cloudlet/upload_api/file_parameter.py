"""Read the file of an upload: a multipart file, a data URI or a remote URL."""

import asyncio
import base64
import binascii
import dataclasses
import re

from cloudlet.errors import bad_request, too_large
from cloudlet.network.remote_files import fetch
from cloudlet.staging import StagedBlob
from cloudlet.upload_api.upload_call import UploadCall

_DATA_URI = re.compile(rb"data:(?:[\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]{0,200})*(?P<base64>;base64)?,")
_URL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_MAX_URL_LENGTH = 8192
# Cloudinary has the same limit. A data URI is decoded in memory.
_MAX_DATA_URI_BYTES = 60 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class UploadedFile:
    """Received bytes with their file name, if any."""

    blob: StagedBlob
    filename: str | None


async def read_file(call: UploadCall) -> UploadedFile:
    """Return the file of an upload. Raises ApiError 400 if it is missing, malformed or cannot be fetched."""
    form = call.form
    if form.file is None:
        text = call.params.text("file")
        if not text:
            raise bad_request("Missing required parameter - file")
        form.file = call.store.blobs.stage_bytes(text.encode())
    if form.filename is not None:
        return UploadedFile(form.file, form.filename)
    return await _from_text(call, form.file)


async def _from_text(call: UploadCall, staged: StagedBlob) -> UploadedFile:
    """Return the file that a part without a file name contains: as a URL, a data URI or plain bytes."""
    with staged.open() as file:
        head = file.read(_MAX_URL_LENGTH)
    if _DATA_URI.match(head):
        if staged.size > _MAX_DATA_URI_BYTES:
            raise too_large(staged.size, _MAX_DATA_URI_BYTES)
        data = await asyncio.to_thread(_decode_data_uri, staged.read())
        blob = call.store.blobs.stage_bytes(data)
        _replace_file(call, staged, blob)
        return UploadedFile(blob, None)
    if _NOT_TEXT.search(head):
        return UploadedFile(staged, None)
    text = head.decode(errors="replace").strip()
    if staged.size > _MAX_URL_LENGTH or not _URL.match(text):
        raise bad_request(f"Unsupported source URL: {text[:200]}")
    blob, filename = await from_url(call, text)
    _replace_file(call, staged, blob)
    return UploadedFile(blob, filename)


async def from_url(call: UploadCall, url: str) -> tuple[StagedBlob, str]:
    """Fetch a remote URL and return its bytes and file name. URLs of this server are always allowed."""
    settings = call.settings
    allowed = (*settings.remote_hosts, *settings.own_hosts)
    return await fetch(url, allowed=allowed, max_bytes=settings.max_upload_bytes, stage=call.store.stage)


def _replace_file(call: UploadCall, staged: StagedBlob, blob: StagedBlob) -> None:
    staged.discard()
    call.form.file = blob


def _decode_data_uri(uri: bytes) -> bytes:
    match = _DATA_URI.match(uri)
    if match is None or match.group("base64") is None:
        raise bad_request("Invalid data URI: only base64 data is accepted")
    encoded = re.sub(rb"\s+", b"", uri[match.end() :])
    try:
        return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_" if b"-" in encoded else None)
    except binascii.Error as error:
        raise bad_request("Invalid data URI: the base64 data is damaged") from error
