"""The publishing pipeline: claim and render tickets, upload their files by a thread pool, and record the outcomes.

A ticket is a job (see `outcomes.py`). Uploads are idempotent, because the row determines the public ids.

The caller starts as many tickets as there is `room()` for, and collects the results. Only the caller's thread uses the
database; the pool's threads only call storage. The concurrency limit of storage bounds the memory: as many tickets are
in the pipeline as calls are allowed, so while half of their files are uploaded, the other half is ready.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from queue import Empty, SimpleQueue

import ticketkit
from apps.core.telemetry.context import log_context
from apps.events.models import EventTicket
from apps.storage import gateway
from apps.storage.models import deployment_tag
from apps.storage.retry import call_with_retries

from . import metrics, outcomes, queues, ticket_rendering
from .outcomes import TICKETS, Attempt, Files

logger = logging.getLogger("apps.events.publishing.pipeline")

# Checks a file after its upload. Raises MediaError if the upload does not count.
UploadCheck = Callable[[EventTicket, gateway.FileKind, bytes, gateway.StoredFile], None]
Upload = tuple[int, gateway.FileKind, gateway.StoredFile | Exception]

# A task ends after this time and hands the rest back to the queue: brokers deliver a task again that runs for much
# longer, and a warm shutdown of a worker waits for its tasks.
TASK_SECONDS = 60.0
BATCH_WINDOW_SECONDS = 0.1  # how long a finished ticket waits for others, to be recorded in one transaction


class Pipeline:
    """Publishes tickets concurrently. See the module's docstring.

    `executor` is the thread pool, by default the process's own. `max_tickets` limits the tickets in the pipeline below
    the concurrency limit. `check` is called after each upload.

    A ticket waits for other tickets at most twice. With all timeouts, that takes less time than a lease.
    """

    def __init__(
        self, executor: Executor | None = None, max_tickets: int | None = None, check: UploadCheck | None = None
    ) -> None:
        self._executor = gateway.executor() if executor is None else executor
        self._max_tickets = max_tickets
        self._check = check
        self._tag = ""
        self._uploads: SimpleQueue[Upload] = SimpleQueue()
        self._in_flight: dict[int, EventTicket] = {}
        self._arrived: dict[int, dict[str, gateway.StoredFile | Exception]] = {}
        self._finished: list[tuple[EventTicket, Files | Exception]] = []

    @property
    def is_busy(self) -> bool:
        """Whether there are tickets to collect."""
        return bool(self._in_flight or self._finished)

    def room(self) -> int:
        """Return how many tickets to start now: none, or several, because one claim costs as much as a batch."""
        room = self._window() - len(self._in_flight)
        return room if room >= self._batch_size() else 0

    def begin(self, pks: Sequence[int]) -> list[int]:
        """Claim and render the tickets, and submit their uploads. Return the primary keys of the claimed ones."""
        templates: dict[int, ticketkit.EventTemplate] = {}
        claimed = TICKETS.claim_these(pks)
        self._tag = self._tag or deployment_tag()
        for ticket in claimed:
            try:
                if ticket.event_id not in templates:
                    templates[ticket.event_id] = ticket_rendering.template_of(ticket.event)
                rendered = ticket_rendering.render(ticket, templates[ticket.event_id])
            except Exception as error:
                if not isinstance(error, ticketkit.RenderingError):
                    logger.exception("Ticket %s: an error in the program", ticket.ticket_id)
                self._finished.append((ticket, error))
                continue
            self._in_flight[ticket.pk] = ticket
            for kind, content in ((gateway.QR_CODE, rendered.qr_png), (gateway.PDF_TICKET, rendered.pdf)):
                self._executor.submit(self._store, ticket, kind, content)
        return [ticket.pk for ticket in claimed]

    def collect(self, timeout_seconds: float | None = None) -> dict[int, Attempt]:
        """Wait for some tickets, record their outcomes, and return the attempts by primary key.

        Return an empty dictionary if no upload ends within `timeout_seconds`.
        """
        record_at = time.monotonic() + BATCH_WINDOW_SECONDS
        while self._in_flight and len(self._finished) < self._batch_size():
            try:
                left = max(0.0, record_at - time.monotonic()) if self._finished else timeout_seconds
                pk, kind, result = self._uploads.get(timeout=left)
            except Empty:
                break
            arrived = self._arrived.setdefault(pk, {})
            arrived[kind.name] = result
            if len(arrived) == len(gateway.KINDS):
                if not self._finished:
                    record_at = time.monotonic() + BATCH_WINDOW_SECONDS
                self._finished.append((self._in_flight.pop(pk), _both(self._arrived.pop(pk))))
        finished, self._finished = self._finished, []
        return outcomes.record(finished) if finished else {}

    def _window(self) -> int:
        limit = gateway.limiter.limit
        return limit if self._max_tickets is None else min(limit, self._max_tickets)

    def _batch_size(self) -> int:
        return max(1, self._window() // 4)

    def _store(self, ticket: EventTicket, kind: gateway.FileKind, content: bytes) -> None:
        """Upload one file, in a thread of the pool. Any exception becomes the result, so `collect` never hangs."""
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
        self._uploads.put((ticket.pk, kind, result))


def _both(arrived: dict[str, gateway.StoredFile | Exception]) -> Files | Exception:
    qr_code, pdf_ticket = (arrived[kind.name] for kind in gateway.KINDS)
    if isinstance(qr_code, Exception):
        return qr_code
    if isinstance(pdf_ticket, Exception):
        return pdf_ticket
    return Files(qr_code, pdf_ticket)


def publish_many(pks: Sequence[int], seconds: float = TASK_SECONDS) -> dict[int, Attempt]:
    """Publish the pending tickets among these that no other worker has claimed. Return the attempts by primary key.

    Safe to run concurrently; memory is bounded. Tickets that are not started within `seconds` go back to the queue.

    Failures of rendering and of storage are recorded in the row (state, reason, next attempt), not raised. A
    programming error affects its own ticket only, and is raised after all others are done.
    """
    attempts = dict(publish_each(pks, seconds))
    for attempt in attempts.values():
        if attempt.error is not None and not isinstance(attempt.error, (ticketkit.RenderingError, gateway.MediaError)):
            raise attempt.error
    return attempts


def publish_each(
    pks: Sequence[int], seconds: float = float("inf"), max_tickets: int | None = None
) -> Iterator[tuple[int, Attempt]]:
    """Publish as `publish_many` does, and yield each attempt as soon as it is recorded. Raises no programming errors.

    If the caller closes the iterator, the tickets in the pipeline are finished.
    """
    ends_at = time.monotonic() + seconds
    waiting = deque(pks)
    pipeline = Pipeline(max_tickets=max_tickets)
    try:
        while waiting or pipeline.is_busy:
            pause = gateway.limiter.retry_after()
            if waiting and (pause > gateway.ACQUIRE_TIMEOUT_SECONDS or time.monotonic() > ends_at):
                _hand_back(list(waiting), pause)
                waiting.clear()
            if waiting and (room := pipeline.room()):
                pipeline.begin([waiting.popleft() for _ in range(min(room, len(waiting)))])
            yield from pipeline.collect().items()
    finally:
        while pipeline.is_busy:
            pipeline.collect()


def _hand_back(pks: Sequence[int], pause: float) -> None:
    if pause > 0:
        TICKETS.postpone(pks, pause)
    else:
        queues.publish_soon(pks, bulk=True)
