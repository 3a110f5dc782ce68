"""From committed rows to files on storage, many tickets at once: claimed and rendered here, uploaded by threads, and
written down in groups.

A ticket is a job (see `outcomes.py`); the worker that claims it makes its files. Uploading twice does no harm, since
the row says where the files belong.

Whoever has tickets to publish begins as many as there is `room()` for, and collects what became of them. All of the
database is the caller's thread's; the threads only call storage. Memory is bounded by the gate's limit: as many
tickets are under way as it lets calls through, so that half of their files are uploaded while the others are at hand.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from queue import Empty, SimpleQueue

from apps.core.telemetry.context import log_context
from apps.events.models import EventTicket
from apps.storage import gateway
from apps.storage.models import deployment_tag
from apps.storage.retry import call_with_retries
from ticketkit import EventTemplate, RenderingError

from . import metrics, outcomes, queues, ticket_rendering
from .outcomes import TICKETS, Attempt, Files

logger = logging.getLogger("apps.events.publishing.pipeline")

# Looks at a file after its upload, and raises MediaError when the row must not count on it.
Check = Callable[[EventTicket, gateway.FileKind, bytes, gateway.StoredFile], None]
Answer = tuple[int, gateway.FileKind, gateway.StoredFile | Exception]

# A task ends after so many seconds and hands what is left back to the queue: brokers take a task that runs for much
# longer for dead, and a worker that shuts down waits for its tasks.
TASK_SECONDS = 60.0
BATCH_WINDOW_SECONDS = 0.1  # seconds that a finished ticket waits at most for others to be written down with


class Pipeline:
    """`executor`: the threads, by default the process's own. `at_once`: no more tickets than that, whatever the gate says.

    Tickets wait for each other twice at most (with the gate's patience and all time-outs), which a lease outlasts.
    """

    def __init__(
        self, executor: Executor | None = None, at_once: int | None = None, check: Check | None = None
    ) -> None:
        self._executor = gateway.executor() if executor is None else executor
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
        claimed = TICKETS.claim_these(pks)
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
            for kind, content in ((gateway.QR_CODE, rendered.qr_png), (gateway.PDF_TICKET, rendered.pdf)):
                self._executor.submit(self._store, ticket, kind, content)
        return [ticket.pk for ticket in claimed]

    def collect(self, patience: float | None = None) -> dict[int, Attempt]:
        """Wait until some tickets are through, but no file for more than `patience` seconds; write down what became of
        those that are."""
        written_at = time.monotonic() + BATCH_WINDOW_SECONDS
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
                    written_at = time.monotonic() + BATCH_WINDOW_SECONDS
                self._finished.append((self._under_way.pop(pk), _both(self._arrived.pop(pk))))
        finished, self._finished = self._finished, []
        return outcomes.record(finished) if finished else {}

    def _window(self) -> int:
        limit = gateway.limiter.limit
        return limit if self._at_once is None else min(limit, self._at_once)

    def _group(self) -> int:
        return max(1, self._window() // 4)

    def _store(self, ticket: EventTicket, kind: gateway.FileKind, content: bytes) -> None:
        """In a thread: one file to its place. Whatever happens, there is an answer."""
        result: gateway.StoredFile | Exception
        try:
            with log_context(ticket_id=ticket.ticket_id):
                stored = result = call_with_retries(
                    lambda: gateway.upload(kind, ticket.public_id_of(kind), content, self._tag),
                    metrics.upload_retries.labels(kind.name).inc,
                )
                if (check := self._check) is not None:
                    call_with_retries(lambda: check(ticket, kind, content, stored))
        except gateway.MediaError as error:
            result = error
        except Exception as error:
            logger.exception("Ticket %s: an error in the program", ticket.ticket_id)
            result = error
        self._answers.put((ticket.pk, kind, result))


def _both(arrived: dict[str, gateway.StoredFile | Exception]) -> Files | Exception:
    qr_code, pdf_ticket = (arrived[kind.name] for kind in gateway.KINDS)
    if isinstance(qr_code, Exception):
        return qr_code
    if isinstance(pdf_ticket, Exception):
        return pdf_ticket
    return Files(qr_code, pdf_ticket)


def publish_many(pks: Sequence[int], seconds: float = TASK_SECONDS) -> dict[int, Attempt]:
    """Make and store both files of the tickets that are owed and that nobody else is at, in bounded memory.

    Safe to run any number of times at once. Failures of rendering and of storage end in the row (state, reason, next
    attempt), not in an exception. Answers what became of the tickets that were claimed. Those that `seconds` don't
    suffice for go back to the queue. An error in the program spoils its own ticket only; the first one is raised when
    all the others are done.
    """
    attempts = dict(publish_each(pks, seconds))
    for attempt in attempts.values():
        if attempt.error is not None and not isinstance(attempt.error, (RenderingError, gateway.MediaError)):
            raise attempt.error
    return attempts


def publish_each(
    pks: Sequence[int], seconds: float = float("inf"), at_once: int | None = None
) -> Iterator[tuple[int, Attempt]]:
    """As `publish_many`, answering each ticket that was claimed as soon as it is done, and raising nothing.

    What is under way when the caller loses interest is finished.
    """
    ends_at = time.monotonic() + seconds
    waiting = deque(pks)
    line = Pipeline(at_once=at_once)
    try:
        while waiting or line.is_busy:
            held = gateway.limiter.retry_after()
            if waiting and (held > gateway.ACQUIRE_TIMEOUT_SECONDS or time.monotonic() > ends_at):
                _hand_back(list(waiting), held)
                waiting.clear()
            if waiting and (room := line.room()):
                line.begin([waiting.popleft() for _ in range(min(room, len(waiting)))])
            yield from line.collect().items()
    finally:
        while line.is_busy:
            line.collect()


def _hand_back(pks: Sequence[int], held: float) -> None:
    if held > 0:
        TICKETS.postpone(pks, held)
    else:
        queues.publish_soon(pks, bulk=True)
