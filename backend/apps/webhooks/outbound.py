"""One POST to an endpoint: to an address that was checked, over TLS, in a limited time, with no redirect followed."""

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

from . import destinations
from .destinations import Destination, RefusedError

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0  # from the first attempt to connect to the last byte that is read
MOST_READ = 8192  # of the answer, which nobody looks at: so that the endpoint can finish writing it


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt: the status, or None and the reason why there is none."""

    status: int | None = None
    reason: str = ""
    retry_after: float | None = None  # seconds that the endpoint asks for

    @property
    def is_accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send it once. Whatever goes wrong out there is an answer too; no text of it holds the URL or a secret."""
    try:
        destination = destinations.parse(url)
        addresses = destinations.resolve(destination)
    except (ValidationError, RefusedError) as error:
        return Answer(reason=" ".join(getattr(error, "messages", [str(error)])))
    except (OSError, UnicodeError):
        return Answer(reason="The host's name does not resolve.")
    deadline = _Deadline()
    try:
        with deadline, _connected(destination, addresses, deadline) as connection:
            connection.request("POST", destination.target, body, dict(headers))
            response = connection.getresponse()
            if deadline.is_over:  # the cut passes for the end of the headers
                raise TimeoutError
            return _read(response)
    except (OSError, http.client.HTTPException) as error:
        return Answer(reason=_words(error, deadline))


def _read(response: http.client.HTTPResponse) -> Answer:
    retry_after = _seconds(response.headers.get("Retry-After", ""))
    with contextlib.suppress(OSError, http.client.HTTPException):  # the status stands, however the rest ends
        response.read(MOST_READ)
    reason = "" if 200 <= response.status < 300 else _of_status(response.status)
    return Answer(response.status, reason, retry_after)


class _Deadline:
    """Cuts the connection when the time is up, also where an endpoint feeds its answer byte by byte.

    The timeouts of sockets begin anew with every byte. The copy of the socket stays usable while TLS takes over the
    original.
    """

    def __init__(self) -> None:
        self._timer = threading.Timer(TOTAL_SECONDS, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._copy: socket.socket | None = None
        self.is_over = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._copy is not None:
                self._copy.close()

    def guard(self, connected: socket.socket) -> None:
        with self._lock:
            if self.is_over:
                raise TimeoutError
            self._copy = connected.dup()

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            if self._copy is not None:
                with contextlib.suppress(OSError):  # gone already
                    self._copy.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _connected(
    destination: Destination, addresses: list[destinations.Resolved], deadline: _Deadline
) -> Iterator[http.client.HTTPConnection]:
    plain = _connect(addresses, deadline)
    try:
        deadline.guard(plain)
        # The name is what the certificate must be for, and the Host; where to connect to is settled.
        channel = _tls().wrap_socket(plain, server_hostname=destination.host) if destination.is_secure else plain
    except BaseException:
        plain.close()
        raise
    at = (destination.host, destination.port)
    connection = (
        http.client.HTTPSConnection(*at, context=_tls()) if destination.is_secure else http.client.HTTPConnection(*at)
    )
    connection.sock = channel
    channel.settimeout(TOTAL_SECONDS)
    with contextlib.closing(connection):
        yield connection


def _connect(addresses: list[destinations.Resolved], deadline: _Deadline) -> socket.socket:
    last: OSError = OSError("The host has no address.")
    for family, address in addresses:
        if deadline.is_over:
            break
        attempt = socket.socket(family, socket.SOCK_STREAM)
        attempt.settimeout(CONNECT_SECONDS)
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
    """Trusts the authorities of certifi and those of this machine, such as a company's own."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _words(error: Exception, deadline: _Deadline) -> str:
    if deadline.is_over:
        return f"No answer within {TOTAL_SECONDS:.0f} seconds."
    match error:
        case ssl.SSLCertVerificationError():
            return f"The certificate does not verify: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason}"
        case TimeoutError():
            return f"No connection within {CONNECT_SECONDS:.0f} seconds."
        case ConnectionRefusedError():
            return "The connection was refused."
        case http.client.RemoteDisconnected() | ConnectionError():
            return "The connection ended without an answer."
        case http.client.HTTPException():
            return f"The answer is not HTTP: {type(error).__name__}"
    return f"No connection: {type(error).__name__}"


def _of_status(status: int) -> str:
    if 300 <= status < 400:
        return f"Answered {status}; redirects are not followed. Register the URL that it leads to."
    return f"Answered {status} {http.client.responses.get(status, '')}".rstrip()


def _seconds(retry_after: str) -> float | None:
    """Of `Retry-After`, in either of its forms (RFC 9110, 10.2.3)."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - timezone.now()).total_seconds())
    except (ValueError, TypeError):
        return None
