"""Ticket files on Cloudinary: upload, destroy, signed URL, fetch. The only importer of `cloudinary`.

Everything that can go wrong out there comes back as one `MediaError`. No function here reads or writes the database,
every call has a timeout, and bytes go up once, to the public id that the caller gives.
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
from .concurrency_limit import AdaptiveLimit, HeldBack, Signal
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

Answer = TypeVar("Answer")

TIMEOUT = urllib3.Timeout(connect=5, read=30)
PROBE_TIMEOUT = urllib3.Timeout(connect=3, read=5)
ACQUIRE_TIMEOUT_SECONDS = 20.0  # seconds that a call waits for its turn
limiter = AdaptiveLimit(settings.TICKET_UPLOADS_IN_FLIGHT)  # every upload, deletion and fetch of this process passes it
PAGE = 500  # files in one answer of a listing, the most that the Admin API gives


@dataclass(frozen=True, slots=True)
class Account:
    """What one call to the Admin API told: the quota, and how many seconds this machine's clock is ahead."""

    quota: Quota | None
    clock_skew: float


# No option of the SDK makes its pools wider than one connection, or shows the headers of an error.
_pool = ObservedPool(**cloudinary.CERT_KWARGS, maxsize=limiter.maximum, num_pools=4, retries=False)
cloudinary.uploader._http = cloudinary.api_client.call_api._http = _pool


@lru_cache(maxsize=1)
def executor() -> ThreadPoolExecutor:
    """The threads that call storage for the whole process, hired with the first call: none outlives a worker's fork."""
    return ContextThreadPool(limiter.maximum, thread_name_prefix="storage")


def _account() -> dict[str, Any]:
    """The account as the SDK's per-call options, so that its own reading of the environment never counts."""
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
        answer: dict[str, Any] = function(*args, timeout=TIMEOUT, **options, **_account())
    except (cloudinary.exceptions.Error, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        status = _pool.last_status()
        retry_after = _pool.retry_after() if status in (420, 429) else None
        raise MediaError(operation, subject, status, _reason(error), retry_after) from error
    return answer


def _in_turn(kind: str, operation: str, subject: str, call: Callable[[], Answer]) -> Answer:
    """The call's answer, through the gate, which learns from it. `kind` names calls that take about equally long."""
    verb, _, file_kind = kind.partition(" ")
    try:
        entered = limiter.enter(ACQUIRE_TIMEOUT_SECONDS)
    except HeldBack as error:
        metrics.storage_calls.labels(verb, file_kind, "held_back").inc()
        reason = "Not tried: earlier calls met a rate limit, or are still under way."
        raise MediaError(operation, subject, HTTPStatus.TOO_MANY_REQUESTS, reason, error.seconds) from error
    signal, hold, outcome = Signal.FINE, None, "error"
    metrics.calls_in_flight.inc()
    began = time.perf_counter()
    try:
        answer = call()
        outcome = "ok"
        return answer
    except MediaError as error:
        hold, outcome = error.retry_after, error.outcome
        if error.is_temporary:
            signal = Signal.RATE_LIMITED if error.is_rate_limit else Signal.OVERLOADED
        raise
    finally:
        metrics.storage_call_seconds.labels(verb, file_kind).observe(time.perf_counter() - began)
        metrics.storage_calls.labels(verb, file_kind, outcome).inc()
        metrics.calls_in_flight.dec()
        limiter.leave(entered, kind, signal, hold)
        metrics.call_limit.set(limiter.limit)
        if signal is Signal.RATE_LIMITED:
            metrics.held_until.set(time.time() + limiter.held_for())


def _reason(error: Exception) -> str:
    """The error's own words, without the string that Cloudinary signs (it shows every parameter of the call)."""
    return str(error).split(" String to sign - ")[0][:300] or type(error).__name__


def upload(kind: FileKind, public_id: str, content: bytes, tag: str = "") -> StoredFile:
    """Put the bytes under the public id, replacing what is there, and drop the CDN's copies. Safe to repeat.

    `tag` takes the place of all tags that the file had. Raises MediaError.
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
    answer = _in_turn(
        f"upload {kind.name}",
        operation,
        public_id,
        lambda: _call(operation, public_id, cloudinary.uploader.upload, io.BytesIO(content), **options),
    )
    try:
        stored = StoredFile(str(answer["public_id"]), int(answer["version"]), str(answer.get("etag", "")))
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError(operation, public_id, 200, f"The answer makes no sense: {answer!r:.200}") from error
    logger.debug("Uploaded %s, version %s", stored.public_id, stored.version)
    return stored


def destroy(kind: FileKind, public_id: str) -> bool:
    """Remove the file and the CDN's copies. True if it was there, False if it was gone before. Raises MediaError.

    Under both delivery types: a ticket that was published before CLOUDINARY_DELIVERY_TYPE was changed, and again since,
    has a copy under each.
    """
    operation = f"deleting {kind.label} from Cloudinary"
    found = [_destroy(operation, kind.resource_type, delivery_type, public_id) for delivery_type in DELIVERY_TYPES]
    logger.debug("Deleted %s: %s", public_id, "ok" if any(found) else "not found")
    return any(found)


def destroy_stray(resource_type: str, delivery_type: str, public_id: str) -> None:
    """Remove a file that lies where none of ours belongs. Raises MediaError; that it was gone is no error."""
    _destroy("deleting a misplaced file from Cloudinary", resource_type, delivery_type, public_id)


def _destroy(operation: str, resource_type: str, delivery_type: str, public_id: str) -> bool:
    options = {"resource_type": resource_type, "type": delivery_type, "invalidate": True}
    answer = _in_turn(
        "destroy",
        operation,
        public_id,
        lambda: _call(operation, public_id, cloudinary.uploader.destroy, public_id, **options),
    )
    result = answer.get("result")
    if result not in ("ok", "not found"):
        raise MediaError(operation, public_id, 200, f"The answer was {result!r}.")
    return bool(result == "ok")


def list_files(
    prefix: str, cursor: str = "", *, resource_type: str = "image", delivery_type: str = ""
) -> tuple[list[ListedFile], str, Quota | None]:
    """A page of the files whose public ids begin with the prefix, the next page's cursor (empty after the last page),
    and what is left of the Admin API's quota. Costs one Admin API call. Raises MediaError.
    """
    answer = _call(
        "listing files on Cloudinary",
        prefix,
        cloudinary.api.resources,
        resource_type=resource_type,
        type=delivery_type or settings.CLOUDINARY_DELIVERY_TYPE,
        prefix=prefix,
        tags=True,
        max_results=PAGE,
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
            for found in answer["resources"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError("listing files on Cloudinary", prefix, 200, f"The answer makes no sense: {error!r}") from error
    return files, str(answer.get("next_cursor") or ""), _pool.quota()


def check_reachable() -> None:
    """Ask the API's address for anything at all, once and briefly. Any answer will do, and costs nothing of the quota.

    Raises MediaError when there is none.
    """
    address = settings.CLOUDINARY_ACCOUNT.upload_prefix or "https://api.cloudinary.com"
    try:
        _pool.request("GET", address, timeout=PROBE_TIMEOUT, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")  # what comes before names the objects of the client
        raise MediaError("reaching Cloudinary", "", None, f"{reason}.") from error


def ask_account() -> Account:
    """Whether the credentials are right, what is left of the quota, and how far apart the clocks are.

    Costs one Admin API call. Raises MediaError, with status 401 for wrong credentials.
    """
    _call("signing in to Cloudinary", "", cloudinary.api.ping)
    return Account(_pool.quota(), _pool.clock_skew())


def ask_usage() -> dict[str, Any]:
    """What the account uses and may use, as the service says it. Costs one Admin API call. Raises MediaError."""
    return _call("asking Cloudinary for the account's usage", "", cloudinary.api.usage)


def delivery_url(
    kind: FileKind, public_id: str, version: int | None = None, transformation: str | None = None, *, page: bool = False
) -> str:
    """The URL of a file: signed unless files are public, with its version so that no CDN copy is stale.

    `transformation` is a string in Cloudinary's own syntax, such as "w_200,h_200,c_fill". `page` asks for a picture
    of a PDF's first page. No network.
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
    """The file's bytes, from its own signed URL. Raises MediaError, with status 404 if it is not there."""
    operation = f"fetching {kind.label} from Cloudinary"
    url = delivery_url(kind, public_id, version)
    return _in_turn(f"fetch {kind.name}", operation, public_id, lambda: _ask("GET", operation, public_id, url)).data


def size(kind: FileKind, public_id: str, version: int | None = None) -> int:
    """Return the file's size in bytes, as its own signed URL says it. Raises MediaError, as `fetch` does."""
    operation = f"asking Cloudinary for the size of the {kind.label}"
    url = delivery_url(kind, public_id, version)
    answer = _in_turn(f"fetch {kind.name}", operation, public_id, lambda: _ask("HEAD", operation, public_id, url))
    try:
        return int(answer.headers["Content-Length"])
    except (KeyError, ValueError) as error:
        raise MediaError(operation, public_id, answer.status, "The answer names no size.") from error


def _ask(method: str, operation: str, public_id: str, url: str) -> urllib3.BaseHTTPResponse:
    try:
        answer = _downloads.request(method, url, timeout=TIMEOUT, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise MediaError(operation, public_id, None, str(error)) from error
    if answer.status != HTTPStatus.OK:
        reason = answer.headers.get("X-Cld-Error") or f"HTTP status {answer.status}"
        raise MediaError(operation, public_id, answer.status, reason)
    return answer


_downloads = urllib3.PoolManager(**cloudinary.CERT_KWARGS, maxsize=limiter.maximum)
