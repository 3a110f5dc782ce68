"""Send one POST to an endpoint: to an address that was checked, in a limited time, without following redirects."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache

import certifi
from django.core.exceptions import ValidationError
from django.utils import timezone

from . import url_policy
from .url_policy import ForbiddenAddressError, ParsedUrl, SocketAddress

CONNECT_TIMEOUT_SECONDS = 5.0  # for each address
TOTAL_TIMEOUT_SECONDS = 15.0  # from the first connection attempt to the last byte that is read
MAX_READ_BYTES = 8192  # of the response body, which is discarded: lets the endpoint finish writing it


@dataclass(frozen=True, slots=True)
class PostResult:
    """The result of one attempt: the HTTP status, or None if there was no response.

    `reason` says why the attempt failed, and is empty if it succeeded. `retry_after` is in seconds.
    """

    status: int | None = None
    reason: str = ""
    retry_after: float | None = None

    @property
    def is_accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
    """Send the body once. Return network errors as results, never raise them.

    No reason contains the URL or a secret.
    """
    try:
        parsed = url_policy.parse(url)
        addresses = url_policy.resolve(parsed)
    except (ValidationError, ForbiddenAddressError) as error:
        return PostResult(reason=" ".join(getattr(error, "messages", [str(error)])))
    except (OSError, UnicodeError):
        return PostResult(reason="The host's name does not resolve.")
    deadline = _Deadline()
    try:
        with deadline, _connected(parsed, addresses, deadline) as connection:
            connection.request("POST", parsed.target, body, dict(headers))
            response = connection.getresponse()
            if deadline.is_over:  # http.client takes the aborted connection for the end of the headers
                raise TimeoutError
            return _read(response)
    except (OSError, http.client.HTTPException) as error:
        return PostResult(reason=_describe(error, deadline))


def _read(response: http.client.HTTPResponse) -> PostResult:
    retry_after = _parse_retry_after(response.headers.get("Retry-After", ""))
    with contextlib.suppress(OSError, http.client.HTTPException):  # the status counts, even if the body is cut off
        response.read(MAX_READ_BYTES)
    reason = "" if 200 <= response.status < 300 else _describe_status(response.status)
    return PostResult(response.status, reason, retry_after)


class _Deadline:
    """Abort the connection after TOTAL_TIMEOUT_SECONDS, even if the endpoint sends one byte at a time.

    The timeout of a socket starts again with every byte, so a timer shuts down a duplicate of the socket. TLS takes
    over the original.
    """

    def __init__(self) -> None:
        self._timer = threading.Timer(TOTAL_TIMEOUT_SECONDS, self._abort)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._duplicate: socket.socket | None = None
        self.is_over = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._duplicate is not None:
                self._duplicate.close()

    def guard(self, connected: socket.socket) -> None:
        with self._lock:
            if self.is_over:
                raise TimeoutError
            self._duplicate = connected.dup()

    def _abort(self) -> None:
        with self._lock:
            self.is_over = True
            if self._duplicate is not None:
                with contextlib.suppress(OSError):  # closed already
                    self._duplicate.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _connected(
    url: ParsedUrl, addresses: list[SocketAddress], deadline: _Deadline
) -> Iterator[http.client.HTTPConnection]:
    plain = _connect(addresses, deadline)
    try:
        deadline.guard(plain)
        # The certificate and the Host header are for the name, although the connection is to a resolved address.
        channel = _tls().wrap_socket(plain, server_hostname=url.host) if url.is_secure else plain
    except BaseException:
        plain.close()
        raise
    connection = (
        http.client.HTTPSConnection(url.host, url.port, context=_tls())
        if url.is_secure
        else http.client.HTTPConnection(url.host, url.port)
    )
    connection.sock = channel
    channel.settimeout(TOTAL_TIMEOUT_SECONDS)
    with contextlib.closing(connection):
        yield connection


def _connect(addresses: list[SocketAddress], deadline: _Deadline) -> socket.socket:
    last: OSError = OSError("The host has no address.")
    for family, address in addresses:
        if deadline.is_over:
            break
        attempt = socket.socket(family, socket.SOCK_STREAM)
        attempt.settimeout(CONNECT_TIMEOUT_SECONDS)
        try:
            attempt.connect(address)
        except OSError as error:
            attempt.close()
            last = error
        else:
            return attempt
    raise last


@cache
def _tls() -> ssl.SSLContext:
    """Return a context that trusts the authorities of certifi and of this machine, such as a company's own."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _describe(error: Exception, deadline: _Deadline) -> str:
    if deadline.is_over:
        return f"No answer within {TOTAL_TIMEOUT_SECONDS:.0f} seconds."
    match error:
        case ssl.SSLCertVerificationError():
            text = f"The certificate does not verify: {error.verify_message}"
        case ssl.SSLError():
            text = f"TLS failed: {error.reason}"
        case TimeoutError():
            text = f"No connection within {CONNECT_TIMEOUT_SECONDS:.0f} seconds."
        case ConnectionRefusedError():
            text = "The connection was refused."
        case http.client.RemoteDisconnected() | ConnectionError():
            text = "The connection ended without an answer."
        case http.client.HTTPException():
            text = f"The answer is not HTTP: {type(error).__name__}"
        case _:
            text = f"No connection: {type(error).__name__}"
    return text


def _describe_status(status: int) -> str:
    if 300 <= status < 400:
        return f"Answered {status}; redirects are not followed. Register the URL that it leads to."
    return f"Answered {status} {http.client.responses.get(status, '')}".rstrip()


def _parse_retry_after(value: str) -> float | None:
    """Return the seconds of a `Retry-After` header in either form (RFC 9110, 10.2.3), or None if it is invalid."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - timezone.now()).total_seconds())
    except (ValueError, TypeError):
        return None
