"""Notifications: signed POST requests to the URL of a call or a trigger, sent in the background."""

import asyncio
import http.client
import json
import logging
import time
from urllib.parse import SplitResult, urlsplit

from cloudlet.config import Settings
from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.network.http_client import HostRefusedError, open_connection
from cloudlet.network.mailbox import Mailbox
from cloudlet.signing import webhook_signature
from cloudlet.store import Store, documents

TIMEOUT_SECONDS = 10
TRIGGER = "trigger"
RETRY_DELAYS_SECONDS = (0.0, 1.0, 5.0)

log = logging.getLogger("cloudlet.webhooks")


class Webhooks:
    """Sends notifications, with three attempts each."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self.mailbox = Mailbox(settings.api_secret)
        self._triggers: tuple[int, list[dict[str, Json]]] = (0, [])
        self._generation = 1
        self._pending: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the event loop on which notifications are sent."""
        self._loop = loop

    def parse_url(self, url: str) -> SplitResult | None:
        """Parse a notification URL, and return None if it is empty. Raises ApiError 400 if it is malformed.

        A URL that the allow-list does not cover is accepted, as by Cloudinary, but not called. Then the log says how to
        allow it.
        """
        if not url:
            return None
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise bad_request(f"Invalid notification_url {url[:200]}") from error
        if not parts.scheme or (not host and parts.scheme in ("http", "https")):
            raise bad_request(f"Invalid notification_url {url[:200]}")
        return parts

    def notify(self, url: str, body: dict[str, Json]) -> None:
        """Send a notification to ``url``, unless it is empty, and to all triggers for its type. Thread-safe."""
        for destination in (url, *self._triggered(body["notification_type"])):
            parts = self.parse_url(destination)
            if parts is not None and parts.scheme == "poll":
                self.mailbox.put(parts.netloc, body)
            elif parts is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(self._start, parts, json.dumps(body))

    def _triggered(self, event: str) -> list[str]:
        """Return the URIs of the triggers for an event, from a cache, since all calls that change assets need them."""
        generation, triggers = self._triggers
        if generation != self._generation:
            generation = self._generation  # read before the triggers, so that a concurrent change invalidates them
            triggers = documents.list_all(self._store.reader, TRIGGER)
            self._triggers = generation, triggers
        return [str(trigger["uri"]) for trigger in triggers if trigger["event_type"] in ("all", event)]

    def triggers_changed(self) -> None:
        """Invalidate the cached triggers. Call it after each commit that changes one. Thread-safe."""
        self._generation += 1

    def _start(self, url: SplitResult, body: str) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(url, body))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _deliver(self, url: SplitResult, body: str) -> None:
        if url.scheme not in ("http", "https"):
            log.warning("no notification to %s: only http and https URLs are called", url.geturl())
            return
        for wait in RETRY_DELAYS_SECONDS:
            await asyncio.sleep(wait)
            try:
                status = await asyncio.to_thread(self._post, url, body)
            except HostRefusedError as error:
                log.warning(
                    "no notification to %s: %s; start cloudlet with --webhook-host %s",
                    url.geturl(), error, url.hostname,
                )  # fmt: skip
                return
            except (OSError, http.client.HTTPException) as error:
                log.warning("notification to %s failed: %s", url.netloc, error)
                continue
            if status < 400:
                return
            log.warning("notification to %s was answered with %d", url.netloc, status)

    def _post(self, url: SplitResult, body: str) -> int:
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "cloudlet",
            "X-Cld-Timestamp": str(timestamp),
            "X-Cld-Signature": webhook_signature(body, timestamp, self._settings.api_secret),
        }
        connection = open_connection(url, self._settings.webhook_hosts, TIMEOUT_SECONDS)
        try:
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", target, body.encode(), headers)
            return connection.getresponse().status
        finally:
            connection.close()

    async def drain(self) -> None:
        """Wait up to two seconds for pending notifications, at shutdown."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=2)
