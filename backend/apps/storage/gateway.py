"""Upload, delete, list and fetch ticket files on Cloudinary, and sign their URLs. The only importer of `cloudinary`.

Every failure of a call is raised as MediaError. Every call has a timeout, and uploads, deletions and fetches share one
concurrency limiter for each process. No function here uses the database.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeVar

import cloudinary.api
import cloudinary.api_client.call_api
import cloudinary.exceptions
import cloudinary.uploader
import cloudinary.utils
import urllib3
from django.conf import settings

from apps.core.telemetry.context import ContextThreadPool

from . import metrics
from .concurrency_limit import AdaptiveLimit, Signal, ThrottledError
from .errors import MediaError as MediaError
from .files import DELIVERY_TYPES as DELIVERY_TYPES
from .files import KINDS as KINDS
from .files import PDF_TICKET as PDF_TICKET
from .files import QR_CODE as QR_CODE
from .files import TICKET_FILE as TICKET_FILE
from .files import FileKind as FileKind
from .files import ListedFile as ListedFile
from .files import StoredFile as StoredFile
from .files import kind_of as kind_of
from .files import new_suffix as new_suffix
from .http_pool import ObservedPool
from .http_pool import Quota as Quota

logger = logging.getLogger("apps.events.media")

T = TypeVar("T")

TIMEOUT = urllib3.Timeout(connect=5, read=30)
PROBE_TIMEOUT = urllib3.Timeout(connect=3, read=5)
ACQUIRE_TIMEOUT_SECONDS = 20.0  # how long a call waits for the limiter
limiter = AdaptiveLimit(settings.TICKET_UPLOADS_IN_FLIGHT)  # of all uploads, deletions and fetches of this process
FILES_PER_PAGE = 500  # of a listing; the maximum of the Admin API


@dataclass(frozen=True, slots=True)
class Account:
    """The Admin API's quota, and by how many seconds this machine's clock is ahead of the service's."""

    quota: Quota | None
    clock_skew: float


# The SDK has no option for more than one connection in its pools, and hides the response headers of errors.
_pool = ObservedPool(**cloudinary.CERT_KWARGS, maxsize=limiter.maximum, num_pools=4, retries=False)
cloudinary.uploader._http = cloudinary.api_client.call_api._http = _pool


@lru_cache(maxsize=1)
def executor() -> ThreadPoolExecutor:
    """Return the process's thread pool for calls to storage.

    It is created by the first call, not at import, because threads do not survive the fork of a worker.
    """
    return ContextThreadPool(limiter.maximum, thread_name_prefix="storage")


def _account() -> dict[str, Any]:
    """Return the account as per-call options of the SDK, so that the SDK's own environment variables have no effect."""
    account = settings.CLOUDINARY_ACCOUNT
    options: dict[str, Any] = {
        "cloud_name": account.cloud_name,
        "api_key": account.api_key,
        "api_secret": account.api_secret,
        "secure": account.secure,
        "cname": account.cname or None,
    }
    if account.upload_prefix:
        options["upload_prefix"] = account.upload_prefix
    return options


def _call(operation: str, subject: str, function: Any, *args: Any, **options: Any) -> dict[str, Any]:
    _pool.last.response = None
    try:
        response: dict[str, Any] = function(*args, timeout=TIMEOUT, **options, **_account())
    except (cloudinary.exceptions.Error, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        status = _pool.last_status()
        retry_after = _pool.retry_after() if status in (420, 429) else None
        raise MediaError(operation, subject, status, _reason(error), retry_after) from error
    return response


def _limited(kind: str, operation: str, subject: str, call: Callable[[], T]) -> T:
    """Make the call when the limiter allows it, measure it, and return its result.

    Calls of one `kind` take about equally long. Raises the call's MediaError, or one with status 429 if the call was
    not made because the limiter did not allow it in time.
    """
    verb, _, file_kind = kind.partition(" ")
    try:
        acquired_at = limiter.acquire(ACQUIRE_TIMEOUT_SECONDS)
    except ThrottledError as error:
        metrics.storage_calls.labels(verb, file_kind, "held_back").inc()
        reason = "Not tried: earlier calls met a rate limit, or are still running."
        raise MediaError(operation, subject, HTTPStatus.TOO_MANY_REQUESTS, reason, error.retry_after) from error
    signal, retry_after, outcome = Signal.FINE, None, "error"
    metrics.calls_in_flight.inc()
    began = time.perf_counter()
    try:
        result = call()
        outcome = "ok"
        return result
    except MediaError as error:
        retry_after, outcome = error.retry_after, error.outcome
        if error.is_temporary:
            signal = Signal.RATE_LIMITED if error.is_rate_limit else Signal.OVERLOADED
        raise
    finally:
        metrics.storage_call_seconds.labels(verb, file_kind).observe(time.perf_counter() - began)
        metrics.storage_calls.labels(verb, file_kind, outcome).inc()
        metrics.calls_in_flight.dec()
        limiter.release(acquired_at, kind, signal, retry_after)
        metrics.call_limit.set(limiter.limit)
        if signal is Signal.RATE_LIMITED:
            metrics.held_until.set(time.time() + limiter.retry_after())


def _reason(error: Exception) -> str:
    """Return the error's text without the string to sign, which contains every parameter of the call."""
    return str(error).split(" String to sign - ")[0][:300] or type(error).__name__


def upload(kind: FileKind, public_id: str, content: bytes, tag: str = "") -> StoredFile:
    """Upload the bytes to the public id, replacing any file there, and invalidate the CDN's copies. Idempotent.

    `tag` replaces all tags of the file. Raises MediaError if the upload fails.
    """
    operation = f"uploading {kind.label} to Cloudinary"
    options = {
        "public_id": public_id,
        "resource_type": kind.resource_type,
        "type": settings.CLOUDINARY_DELIVERY_TYPE,
        "filename": f"ticket.{kind.extension}",
        "overwrite": True,
        "unique_filename": False,
        "invalidate": True,
        "tags": tag,
    }
    response = _limited(
        f"upload {kind.name}",
        operation,
        public_id,
        lambda: _call(operation, public_id, cloudinary.uploader.upload, io.BytesIO(content), **options),
    )
    try:
        stored = StoredFile(str(response["public_id"]), int(response["version"]), str(response.get("etag", "")))
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError(operation, public_id, 200, f"The response is invalid: {response!r:.200}") from error
    logger.debug("Uploaded %s, version %s", stored.public_id, stored.version)
    return stored


def destroy(kind: FileKind, public_id: str) -> bool:
    """Delete the file and the CDN's copies. Return whether it existed. Raises MediaError if that fails.

    Both delivery types are deleted: a ticket that was published before and after a change of CLOUDINARY_DELIVERY_TYPE
    has a file under each.
    """
    operation = f"deleting {kind.label} from Cloudinary"
    found = [_destroy(operation, kind.resource_type, delivery_type, public_id) for delivery_type in DELIVERY_TYPES]
    logger.debug("Deleted %s: %s", public_id, "ok" if any(found) else "not found")
    return any(found)


def destroy_stray(resource_type: str, delivery_type: str, public_id: str) -> None:
    """Delete a file of another resource type or public id than ours. Raises MediaError, but not for a missing file."""
    _destroy("deleting a misplaced file from Cloudinary", resource_type, delivery_type, public_id)


def _destroy(operation: str, resource_type: str, delivery_type: str, public_id: str) -> bool:
    options = {"resource_type": resource_type, "type": delivery_type, "invalidate": True}
    response = _limited(
        "destroy",
        operation,
        public_id,
        lambda: _call(operation, public_id, cloudinary.uploader.destroy, public_id, **options),
    )
    result = response.get("result")
    if result not in ("ok", "not found"):
        raise MediaError(operation, public_id, 200, f"The response was {result!r}.")
    return bool(result == "ok")


def list_files(
    prefix: str, cursor: str = "", *, resource_type: str = "image", delivery_type: str = ""
) -> tuple[list[ListedFile], str, Quota | None]:
    """Return one page of the files whose public ids begin with the prefix, by one call to the Admin API.

    The second value is the next page's cursor, empty after the last page; the third is what is left of the quota.
    Raises MediaError if the call fails.
    """
    response = _call(
        "listing files on Cloudinary",
        prefix,
        cloudinary.api.resources,
        resource_type=resource_type,
        type=delivery_type or settings.CLOUDINARY_DELIVERY_TYPE,
        prefix=prefix,
        tags=True,
        max_results=FILES_PER_PAGE,
        **({"next_cursor": cursor} if cursor else {}),
    )
    try:
        files = [
            ListedFile(
                str(found["resource_type"]),
                str(found["type"]),
                str(found["public_id"]),
                int(found["version"]),
                int(found["bytes"]),
                str(found.get("etag", "")),
                frozenset(map(str, found.get("tags") or ())),
            )
            for found in response["resources"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError("listing files on Cloudinary", prefix, 200, f"The response is invalid: {error!r}") from error
    return files, str(response.get("next_cursor") or ""), _pool.quota()


def check_reachable() -> None:
    """Raise MediaError if the API's server does not respond. Any response will do; the quota is not used."""
    address = settings.CLOUDINARY_ACCOUNT.upload_prefix or "https://api.cloudinary.com"
    try:
        _pool.request("GET", address, timeout=PROBE_TIMEOUT, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")  # urllib3 puts the repr of its objects before it
        raise MediaError("reaching Cloudinary", "", None, f"{reason}.") from error


def ask_account() -> Account:
    """Check the credentials, and return the quota and the clock skew, by one call to the Admin API.

    Raises MediaError if the call fails, with status 401 for wrong credentials.
    """
    _call("signing in to Cloudinary", "", cloudinary.api.ping)
    return Account(_pool.quota(), _pool.clock_skew())


def ask_usage() -> dict[str, Any]:
    """Return the account's usage and limits in the service's own form, by one call to the Admin API.

    Raises MediaError if the call fails.
    """
    return _call("asking Cloudinary for the account's usage", "", cloudinary.api.usage)


def delivery_url(
    kind: FileKind, public_id: str, version: int | None = None, transformation: str | None = None, *, page: bool = False
) -> str:
    """Return the URL of a file, signed unless files are public. Does not use the network.

    The version in the URL avoids stale copies of the CDN. `transformation` is a string in Cloudinary's syntax, such as
    "w_200,h_200,c_fill". With `page`, the URL is that of a picture of a PDF's first page.
    """
    delivery_type = settings.CLOUDINARY_DELIVERY_TYPE
    url, _ = cloudinary.utils.cloudinary_url(
        public_id,
        resource_type=kind.resource_type,
        type=delivery_type,
        format="jpg" if page else kind.extension,
        version=version,
        raw_transformation="/".join(filter(None, ["pg_1" if page else "", transformation or ""])),
        sign_url=delivery_type != "upload",
        long_url_signature=True,
        auth_token=False,
        **_account(),
    )
    return str(url)


def fetch(kind: FileKind, public_id: str, version: int | None = None) -> bytes:
    """Return the file's bytes from its delivery URL. Raises MediaError, with status 404 if the file is missing."""
    operation = f"fetching {kind.label} from Cloudinary"
    return _deliver("GET", kind, public_id, version, operation).data


def size(kind: FileKind, public_id: str, version: int | None = None) -> int:
    """Return the file's size in bytes, by a HEAD request to its delivery URL. Raises MediaError as `fetch` does."""
    operation = f"asking Cloudinary for the size of the {kind.label}"
    response = _deliver("HEAD", kind, public_id, version, operation)
    try:
        return int(response.headers["Content-Length"])
    except (KeyError, ValueError) as error:
        raise MediaError(operation, public_id, response.status, "The response has no size.") from error


def _deliver(
    method: str, kind: FileKind, public_id: str, version: int | None, operation: str
) -> urllib3.BaseHTTPResponse:
    url = delivery_url(kind, public_id, version)

    def request() -> urllib3.BaseHTTPResponse:
        try:
            response = _downloads.request(method, url, timeout=TIMEOUT, retries=False)
        except urllib3.exceptions.HTTPError as error:
            raise MediaError(operation, public_id, None, str(error)) from error
        if response.status != HTTPStatus.OK:
            reason = response.headers.get("X-Cld-Error") or f"HTTP status {response.status}"
            raise MediaError(operation, public_id, response.status, reason)
        return response

    return _limited(f"fetch {kind.name}", operation, public_id, request)


_downloads = urllib3.PoolManager(**cloudinary.CERT_KWARGS, maxsize=limiter.maximum)
