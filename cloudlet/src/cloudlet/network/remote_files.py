"""Fetch remote URLs, only from hosts on the allow-list, which prevents SSRF."""

import asyncio
import http.client
from collections.abc import Callable, Collection
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from cloudlet.errors import ApiError, bad_request, too_large
from cloudlet.network.http_client import HostRefusedError, open_connection
from cloudlet.staging import StagedBlob, StagingWriter

TIMEOUT_SECONDS = 20
MAX_REDIRECTS = 3
_CHUNK_BYTES = 64 * 1024


class RefusedSourceError(ApiError):
    """The host of a URL, or of one that it redirects to, is not allowed. The status is 400."""


async def fetch(
    url: str, *, allowed: Collection[str], max_bytes: int, stage: Callable[[], StagingWriter]
) -> tuple[StagedBlob, str]:
    """Fetch ``url`` and return its bytes and a file name. ``allowed`` is that of ``open_connection``.

    Redirects are followed, and checked in the same way. Raises RefusedSourceError if a host is not allowed, and
    ApiError 400 for an error response, too many bytes or a timeout.
    """
    return await asyncio.to_thread(_fetch, url, allowed, max_bytes, stage)


def _fetch(
    url: str, allowed: Collection[str], max_bytes: int, stage: Callable[[], StagingWriter]
) -> tuple[StagedBlob, str]:
    for _ in range(MAX_REDIRECTS + 1):
        parts = _split_url(url)
        try:
            connection = open_connection(parts, allowed, TIMEOUT_SECONDS)
        except HostRefusedError as error:
            raise RefusedSourceError(
                400, f"Error in loading {url[:200]} - {error}; start cloudlet with --remote-host"
            ) from error
        except OSError as error:
            raise bad_request(f"Error in loading {url[:200]} - {error}") from error
        try:
            response = _request(connection, parts)
            if response.status in (301, 302, 303, 307, 308):
                url = urljoin(url, response.getheader("Location", ""))
                continue
            if response.status != 200:
                raise bad_request(f"Error in loading {url} - {response.status} {response.reason}")
            blob = _receive(response, stage(), max_bytes)
            return blob, unquote(parts.path.rpartition("/")[2]) or "file"
        except (OSError, http.client.HTTPException) as error:
            raise bad_request(f"Error in loading {url} - {error}") from error
        finally:
            connection.close()
    raise bad_request(f"Error in loading {url} - too many redirects")


def _split_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise bad_request(f"Invalid URL for upload: {url[:200]}") from error
    if parts.scheme not in ("http", "https"):
        raise bad_request(f"Unsupported source URL: {url[:200]}")
    if not is_complete:
        raise bad_request(f"Invalid URL for upload: {url[:200]}")
    return parts


def _request(connection: http.client.HTTPConnection, parts: SplitResult) -> http.client.HTTPResponse:
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    target = quote(target, safe="%/:?#[]@!$&'()*+,;=~")
    connection.request("GET", target, headers={"User-Agent": "cloudlet", "Accept": "*/*"})
    return connection.getresponse()


def _receive(response: http.client.HTTPResponse, writer: StagingWriter, limit: int) -> StagedBlob:
    try:
        while chunk := response.read(_CHUNK_BYTES):
            if writer.size + len(chunk) > limit:
                raise too_large(_announced_bytes(response) or writer.size + len(chunk), limit)
            writer.write(chunk)
    except BaseException:
        writer.abort()
        raise
    return writer.finish()


def _announced_bytes(response: http.client.HTTPResponse) -> int:
    length = response.getheader("Content-Length", "")
    return int(length) if length.isdecimal() else 0
