"""Notifications: signed POSTs to the URL that a call or a trigger names, delivered in the background."""

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

TIMEOUT_S = 10
TRIGGER = "trigger"
RETRY_AFTER_S = (0.0, 1.0, 5.0)

log = logging.getLogger("cloudlet.webhooks")


class Webhooks:
    """Sends notifications, three attempts each."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self.mailbox = Mailbox(settings.api_secret)
        self._triggers: tuple[int, list[dict[str, Json]]] = (0, [])
        self._generation = 1
        self._pending: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Says on which loop notifications are delivered."""
        self._loop = loop

    def checked(self, url: str) -> SplitResult | None:
        """The URL in parts; None when there is none to call. 400 for what is no URL at all.

        A URL that the allow-list does not cover is accepted, as Cloudinary accepts any, but never called: the log
        says so, and how to allow it.
        """
        if not url:
            return None
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise bad_request(f"Invalid notification_url {url[:200]}") from error
        if not parts.scheme or not host and parts.scheme in ("http", "https"):
            raise bad_request(f"Invalid notification_url {url[:200]}")
        return parts

    def notify(self, url: str, body: dict[str, Json]) -> None:
        """Tells ``url``, unless it is empty, and every trigger for this type of event. From any thread."""
        for destination in (url, *self._triggered(body["notification_type"])):
            parts = self.checked(destination)
            if parts is not None and parts.scheme == "poll":
                self.mailbox.put(parts.netloc, body)
            elif parts is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(self._start, parts, json.dumps(body))

    def _triggered(self, event: str) -> list[str]:
        """Asked by every call that changes something, so the triggers are kept in memory."""
        generation, triggers = self._triggers
        if generation != self._generation:
            generation = self._generation  # read first: a change that comes meanwhile makes this outdated at once
            triggers = documents.list_all(self._store.reader, TRIGGER)
            self._triggers = generation, triggers
        return [str(trigger["uri"]) for trigger in triggers if trigger["event_type"] in ("all", event)]

    def triggers_changed(self) -> None:
        """To be called after each commit that changes a trigger. From any thread."""
        self._generation += 1

    def _start(self, url: SplitResult, body: str) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(url, body))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _deliver(self, url: SplitResult, body: str) -> None:
        if url.scheme not in ("http", "https"):
            log.warning("no notification to %s: only http and https URLs are called", url.geturl())
            return
        for wait in RETRY_AFTER_S:
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
        connection = open_connection(url, self._settings.webhook_hosts, TIMEOUT_S)
        try:
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", target, body.encode(), headers)
            return connection.getresponse().status
        finally:
            connection.close()

    async def drain(self) -> None:
        """Gives what is under way a moment at shutdown."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=2)
