"""Sends what the outbox owes: at least once, of each ticket in order, no endpoint waiting for a slow one.

Anything may die at any point: the lease on a message runs out, and it is sent again under the same id.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.utils import timezone

from apps.core.jobs.kinds import Failure, Success

from . import metrics, outbound, payloads
from .jobs import WEBHOOKS
from .models import WebhookMessage
from .outbound import Answer
from .signing import signature_header

logger = logging.getLogger(__name__)

THREADS = 64  # they mostly wait for endpoints
LOOK_AGAIN_SECONDS = 1.0
GATHER_SECONDS = 0.02  # writing down and claiming cost as much for one as for many
TASK_SECONDS = 60.0  # then what is left goes to another task: one that runs for much longer is taken for dead
USER_AGENT = "Admit-Webhooks/1"


def deliver_due(seconds: float = TASK_SECONDS) -> int:
    """Send what is due, and what falls due meanwhile, for about so long. Answers how many attempts were made.

    Safe to run any number of times at once. All of the database is this thread's; the others only send.
    """
    ends_at = time.monotonic() + seconds
    under_way: dict[Future[Answer], WebhookMessage] = {}
    attempts = 0
    is_late = False
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as pool:
        while True:
            if not is_late and time.monotonic() >= ends_at:
                is_late = True
                WEBHOOKS.send()
            for message in [] if is_late else WEBHOOKS.claim(THREADS - len(under_way)):
                under_way[pool.submit(send, message)] = message
                attempts += 1
            if not under_way:
                return attempts
            # What falls due for others is not kept waiting by an endpoint that is slow.
            done, rest = wait(under_way, LOOK_AGAIN_SECONDS, FIRST_COMPLETED)
            done |= wait(rest, GATHER_SECONDS).done if done else set()
            WEBHOOKS.settle([(under_way.pop(future), _outcome_of(future)) for future in done])


def send(message: WebhookMessage) -> Answer:
    """In a thread, without the database: one attempt. The signature is of this moment, the rest never changes."""
    now = timezone.now()
    body = payloads.body_of(message)
    timestamp = int(now.timestamp())
    secrets = message.endpoint.signing_secrets(now)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": message.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_header(secrets, message.message_id, timestamp, body),
    }
    began = time.perf_counter()
    answer = outbound.post(message.endpoint.url, body, headers)
    status = f"{answer.status // 100}xx" if answer.status else "none"
    metrics.webhook_seconds.labels(status).observe(time.perf_counter() - began)
    return answer


def _outcome_of(done: Future[Answer]) -> Success | Failure:
    if error := done.exception():
        logger.error("A webhook was not sent: an error in the program", exc_info=error)
        return Failure(f"An error in the program: {type(error).__name__}", values={"last_status": None})
    answer = done.result()
    if answer.is_accepted:
        return Success({"last_status": answer.status, "delivered_at": timezone.now()})
    at_least = min(answer.retry_after or 0, WEBHOOKS.policy.longest.total_seconds())
    return Failure(answer.reason, retry_after=at_least, values={"last_status": answer.status})
