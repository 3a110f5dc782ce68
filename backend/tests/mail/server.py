"""Run a mail server on a free port, which accepts or refuses messages as the test wants."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)  # verb or recipient address -> reply
    hangs_up_after_data: bool = False


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10
    server: _Server

    def handle(self) -> None:
        state = self.server.state
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            address = line.partition("<")[2].partition(">")[0]
            refusal = state.answers.get(verb) or (state.answers.get(address) if verb == "RCPT" else None)
            if refusal:
                self._say(refusal)
            elif verb == "DATA":
                self._say("354 continue")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                if state.hangs_up_after_data:
                    return
                unstuffed = body.replace(b"\r\n.", b"\r\n").replace(b"\r\n", b"\n")  # RFC 5321, 4.5.2
                state.received.append(message_from_bytes(unstuffed, policy=policy.default))
                self._say("250 accepted")
            else:
                self._say("221 bye" if verb == "QUIT" else "250 OK")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    state: MailServer


@contextlib.contextmanager
def mail_server(port: int = 0) -> Iterator[MailServer]:
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.state = MailServer(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.state
        finally:
            server.shutdown()
            thread.join()
