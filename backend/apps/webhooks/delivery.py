"""Send the messages of the outbox: at least once, in order for each ticket, with no endpoint waiting for another.

If a process dies, the lease on its messages runs out, and they are sent again under the same ids.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.utils import timezone

from apps.core.jobs.kinds import Failure, Success

from . import http_client, metrics, payloads
from .http_client import PostResult
from .jobs import WEBHOOKS
from .models import WebhookMessage
from .signing import signature_header

logger = logging.getLogger(__name__)

THREADS = 64  # they mostly wait for endpoints
POLL_SECONDS = 1.0  # between two looks for messages that became due
BATCH_WINDOW_SECONDS = 0.02  # settling and claiming many messages costs as much as one
TASK_SECONDS = 60.0  # then another task takes over: brokers redeliver tasks that run for much longer
USER_AGENT = "Admit-Webhooks/1"


def deliver_due(seconds: float = TASK_SECONDS) -> int:
    """Send messages that are due or become due, for about so many seconds. Return the number of attempts.

    Any number of processes may call this at once. Only the calling thread uses the database; the others send.
    """
    ends_at = time.monotonic() + seconds
    in_flight: dict[Future[PostResult], WebhookMessage] = {}
    attempts = 0
    is_over = False
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as pool:
        while True:
            if not is_over and time.monotonic() >= ends_at:
                is_over = True
                WEBHOOKS.send()
            for message in [] if is_over else WEBHOOKS.claim(THREADS - len(in_flight)):
                in_flight[pool.submit(send, message)] = message
                attempts += 1
            if not in_flight:
                return attempts
            # Wait for a limited time, so that a slow endpoint does not delay messages to others.
            done, rest = wait(in_flight, POLL_SECONDS, FIRST_COMPLETED)
            done |= wait(rest, BATCH_WINDOW_SECONDS).done if done else set()
            WEBHOOKS.settle([(in_flight.pop(future), _outcome_of(future)) for future in done])


def send(message: WebhookMessage) -> PostResult:
    """Send a message once and observe the duration. Runs in a thread, so it must not use the database.

    The signature and its timestamp belong to the attempt; id and body are the same for every attempt.
    """
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
    started = time.perf_counter()
    result = http_client.post(message.endpoint.url, body, headers)
    status = f"{result.status // 100}xx" if result.status else "none"
    metrics.webhook_seconds.labels(status).observe(time.perf_counter() - started)
    return result


def _outcome_of(done: Future[PostResult]) -> Success | Failure:
    if error := done.exception():
        logger.error("A webhook was not sent: an error in the program", exc_info=error)
        return Failure(f"An error in the program: {type(error).__name__}", values={"last_status": None})
    result = done.result()
    if result.is_accepted:
        return Success({"last_status": result.status, "delivered_at": timezone.now()})
    retry_after = min(result.retry_after or 0, WEBHOOKS.policy.longest.total_seconds())
    return Failure(result.reason, retry_after=retry_after, values={"last_status": result.status})
