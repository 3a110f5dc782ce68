"""Where the bytes of an upload come from: a multipart file, a data URI, or a remote URL."""

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
_URL_LIMIT = 8192
# Cloudinary's limit too: a data URI is decoded in memory.
_DATA_URI_LIMIT = 60 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Received bytes and the name they came under, if any."""

    blob: StagedBlob
    filename: str | None


async def obtain(call: UploadCall) -> Source:
    """The upload's bytes. Raises 400 when there are none, or when they cannot be had."""
    form = call.form
    if form.file is None:
        text = call.params.text("file")
        if not text:
            raise bad_request("Missing required parameter - file")
        form.file = call.store.blobs.stage_bytes(text.encode())
    if form.filename is not None:
        return Source(form.file, form.filename)
    return await _from_text(call, form.file)


async def _from_text(call: UploadCall, staged: StagedBlob) -> Source:
    """Return what a part without a file name means: a URL, a data URI, or the bytes of a picture."""
    with staged.open() as file:
        head = file.read(_URL_LIMIT)
    if _DATA_URI.match(head):
        if staged.size > _DATA_URI_LIMIT:
            raise too_large(staged.size, _DATA_URI_LIMIT)
        data = await asyncio.to_thread(_decode_data_uri, staged.read())
        blob = call.store.blobs.stage_bytes(data)
        _swap(call, staged, blob)
        return Source(blob, None)
    if _NOT_TEXT.search(head):
        return Source(staged, None)
    text = head.decode(errors="replace").strip()
    if staged.size > _URL_LIMIT or not _URL.match(text):
        raise bad_request(f"Unsupported source URL: {text[:200]}")
    blob, filename = await from_url(call, text)
    _swap(call, staged, blob)
    return Source(blob, filename)


async def from_url(call: UploadCall, url: str) -> tuple[StagedBlob, str]:
    """Return the bytes of a remote URL and their name. The files that this server delivers are always allowed."""
    settings = call.settings
    allowed = (*settings.remote_hosts, *settings.own_hosts)
    return await fetch(url, allowed=allowed, max_bytes=settings.max_upload_bytes, stage=call.store.stage)


def _swap(call: UploadCall, staged: StagedBlob, blob: StagedBlob) -> None:
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
