"""Run an integrator's server, which records webhooks and responds as the test wants."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it arrived."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content

    @property
    def ticket(self) -> str:
        ticket_id: str = self.content["data"]["ticket_id"]
        return ticket_id

    def verified_with(self, secret: str) -> dict[str, Any]:
        """Return the content, verified by the official library. Raise its WebhookVerificationError."""
        content: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return content


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Receiver:
    """The state of a running server. `answer` returns the reply to a request, in a thread, after it is recorded."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self.answer: Callable[[Received], Reply] = lambda received: Reply()
        self.lock = threading.Lock()
        self.in_flight = 0
        self.max_in_flight = 0

    def types(self, ticket: object = None) -> list[str]:
        """Return the types of the messages received, in order; of one ticket, if one is given."""
        return [got.content["type"] for got in self.received if ticket is None or got.ticket == str(ticket)]

    def answer_with(self, *statuses: int) -> None:
        """Answer with these statuses one after another, and then with 200."""
        left = iter(statuses)
        self.answer = lambda received: Reply(next(left, 200))


@contextmanager
def receiving(host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with receiver.lock:
                receiver.received.append(received)
                receiver.in_flight += 1
                receiver.max_in_flight = max(receiver.max_in_flight, receiver.in_flight)
            try:
                reply = receiver.answer(received)
            finally:
                with receiver.lock:
                    receiver.in_flight -= 1
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Print nothing: senders that hang up early or refuse the certificate are part of the tests."""

    with Server((host, port), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if tls is None else "https"
        receiver = Receiver(f"{scheme}://{host}:{server.server_address[1]}/hooks?tenant=7")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(10)
