"""Many tickets on their way at once: claimed and rendered here, uploaded by threads, written down in groups.

Whoever has tickets to publish begins as many as there is `room()` for, and collects what became of them. All of the
database is the caller's thread's; the threads only call storage. Memory is bounded by the gate's limit: as many
tickets are under way as it lets calls through, so that half of their files are uploaded while the others are at hand.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from queue import Empty, SimpleQueue

from apps.core.telemetry.context import about
from apps.events.models import EventTicket
from apps.storage import gateway
from apps.storage.models import deployment_tag
from apps.storage.retry import keep_trying
from ticketkit import EventTemplate, RenderedTicket, RenderingError

from . import claims, metrics, outcomes, ticket_rendering
from .outcomes import Attempt, Files

logger = logging.getLogger("apps.events.publishing.pipeline")

# Looks at a file after its upload, and raises MediaError when the row must not count on it.
Check = Callable[[EventTicket, gateway.FileKind, bytes, gateway.StoredFile], None]
Answer = tuple[int, gateway.FileKind, gateway.StoredFile | Exception]

LINGER = 0.1  # seconds that a finished ticket waits at most for others to be written down with


def contents(rendered: RenderedTicket) -> tuple[tuple[gateway.FileKind, bytes], tuple[gateway.FileKind, bytes]]:
    return (gateway.QR_CODE, rendered.qr_png), (gateway.PDF_TICKET, rendered.pdf)


class Pipeline:
    """`crew`: the threads, by default the process's own. `at_once`: no more tickets than that, whatever the gate says.

    Tickets wait for each other twice at most (with the gate's patience and all time-outs), which a lease outlasts.
    """

    def __init__(self, crew: Executor | None = None, at_once: int | None = None, check: Check | None = None) -> None:
        self._crew = gateway.crew() if crew is None else crew
        self._at_once = at_once
        self._check = check
        self._tag = ""
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._under_way: dict[int, EventTicket] = {}
        self._arrived: dict[int, dict[str, gateway.StoredFile | Exception]] = {}
        self._finished: list[tuple[EventTicket, Files | Exception]] = []

    @property
    def is_busy(self) -> bool:
        """Whether there is something to collect."""
        return bool(self._under_way or self._finished)

    def room(self) -> int:
        """How many tickets to begin now: none or several, as a claim costs as much for one as for many."""
        room = self._window() - len(self._under_way)
        return room if room >= self._group() else 0

    def begin(self, pks: Sequence[int]) -> list[int]:
        """Claim the tickets and send their files on their way. Answers those that nobody else is at."""
        templates: dict[int, EventTemplate] = {}
        claimed = claims.claim(pks)
        self._tag = self._tag or deployment_tag()
        for ticket in claimed:
            try:
                if ticket.event_id not in templates:
                    templates[ticket.event_id] = ticket_rendering.template_of(ticket.event)
                rendered = ticket_rendering.render(ticket, templates[ticket.event_id])
            except Exception as error:
                if not isinstance(error, RenderingError):
                    logger.exception("Ticket %s: an error in the program", ticket.ticket_id)
                self._finished.append((ticket, error))
                continue
            self._under_way[ticket.pk] = ticket
            for kind, content in contents(rendered):
                self._crew.submit(self._store, ticket, kind, content)
        return [ticket.pk for ticket in claimed]

    def collect(self, patience: float | None = None) -> dict[int, Attempt]:
        """Wait until some tickets are through, but no file for more than `patience` seconds; write down what became of
        those that are."""
        written_at = time.monotonic() + LINGER
        while self._under_way and len(self._finished) < self._group():
            try:
                left = max(0.0, written_at - time.monotonic()) if self._finished else patience
                pk, kind, result = self._answers.get(timeout=left)
            except Empty:
                break
            arrived = self._arrived.setdefault(pk, {})
            arrived[kind.name] = result
            if len(arrived) == len(gateway.KINDS):
                if not self._finished:
                    written_at = time.monotonic() + LINGER
                self._finished.append((self._under_way.pop(pk), _both(self._arrived.pop(pk))))
        finished, self._finished = self._finished, []
        return outcomes.record(finished) if finished else {}

    def _window(self) -> int:
        limit = gateway.gate.limit
        return limit if self._at_once is None else min(limit, self._at_once)

    def _group(self) -> int:
        return max(1, self._window() // 4)

    def _store(self, ticket: EventTicket, kind: gateway.FileKind, content: bytes) -> None:
        """In a thread: one file to its place. Whatever happens, there is an answer."""
        try:
            with about(ticket_id=ticket.ticket_id):
                result: gateway.StoredFile | Exception = self._stored(ticket, kind, content)
        except gateway.MediaError as error:
            result = error
        except Exception as error:
            logger.exception("Ticket %s: an error in the program", ticket.ticket_id)
            result = error
        self._answers.put((ticket.pk, kind, result))

    def _stored(self, ticket: EventTicket, kind: gateway.FileKind, content: bytes) -> gateway.StoredFile:
        stored = keep_trying(
            lambda: gateway.upload(kind, ticket.public_id_of(kind), content, self._tag),
            metrics.upload_retries.labels(kind.name).inc,
        )
        if (check := self._check) is not None:
            keep_trying(lambda: check(ticket, kind, content, stored))
        return stored


def _both(arrived: dict[str, gateway.StoredFile | Exception]) -> Files | Exception:
    qr_code, pdf_ticket = (arrived[kind.name] for kind in gateway.KINDS)
    if isinstance(qr_code, Exception):
        return qr_code
    if isinstance(pdf_ticket, Exception):
        return pdf_ticket
    return Files(qr_code, pdf_ticket)
