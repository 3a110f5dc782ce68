"""Servers of mail and webhooks that are slow, refuse, drop connections, and are down for a while."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.environment import free_port
from tests.mail.server import MailServer, mail_server
from tests.webhooks.receiver import Received, Receiver, Reply, receiving

REFUSED = 0.10  # share of mails and webhook requests
CUT_OFF = 0.10  # share of webhook requests before they are accepted, and again after that
SLOW = 0.10  # share of both
SLOW_SECONDS = 0.2  # much less than a lease


class Mailbox:
    """A mail server that can be stopped: its port is closed, and open connections end without a reply."""

    def __init__(self, chance: random.Random) -> None:
        self.port = free_port()
        self._chance = chance
        self._stack = contextlib.ExitStack()
        self._servers: list[MailServer] = []

    @property
    def subjects(self) -> list[str]:
        """Return the subjects of the accepted mails."""
        return [str(mail["Subject"]) for server in self._servers for mail in server.received]

    def start(self) -> None:
        server = self._stack.enter_context(mail_server(self.port))
        server.answers = _Answers(self._chance)
        self._servers.append(server)

    def stop(self) -> None:
        self._servers[-1].hangs_up_after_data = True
        self._stack.close()


class _Answers(dict[str, str]):
    """Refuse some messages temporarily, and delay others."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def get(self, verb: str, default: str | None = None) -> str | None:  # type: ignore[override]
        if verb != "MAIL":
            return default
        _take_time(self._chance)
        return "451 try again later" if self._chance.random() < REFUSED else default


def _take_time(chance: random.Random) -> None:
    if chance.random() < SLOW:
        time.sleep(SLOW_SECONDS)


@dataclass(frozen=True, slots=True)
class Heard:
    """A step of a webhook request: it arrived, or (`is_taken`) it was accepted."""

    ticket: str
    sequence: int
    event_type: str
    is_taken: bool


class Listener:
    """An integrator's server. `heard` has the steps of all requests in order."""

    def __init__(self, receiver: Receiver, chance: random.Random) -> None:
        self.url = receiver.url
        self.heard: list[Heard] = []
        self.is_away = False
        self._chance = chance
        self._lock = threading.Lock()
        receiver.answer = self._answer

    def _answer(self, received: Received) -> Reply:
        self._note(received, is_taken=False)
        _take_time(self._chance)
        mood = self._chance.random()
        if self.is_away or mood < CUT_OFF:
            raise ConnectionAbortedError
        if mood < CUT_OFF + REFUSED:
            return Reply(503)
        self._note(received, is_taken=True)
        if mood > 1 - CUT_OFF:
            raise ConnectionAbortedError
        return Reply()

    def _note(self, received: Received, *, is_taken: bool) -> None:
        content = received.content
        heard = Heard(received.ticket, content["data"]["sequence"], content["type"], is_taken)
        with self._lock:
            self.heard.append(heard)


@contextlib.contextmanager
def outside(chance: random.Random) -> Iterator[tuple[Mailbox, Listener]]:
    """Run both servers."""
    mailbox = Mailbox(chance)
    with receiving() as receiver:
        mailbox.start()
        try:
            yield mailbox, Listener(receiver, chance)
        finally:
            mailbox.stop()
