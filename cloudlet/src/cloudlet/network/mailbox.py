"""Notifications for clients that poll (``poll://``), kept in memory until they are acknowledged."""

import base64
import collections
import dataclasses
import json
import secrets
import threading
import time

from cloudlet.model import Json
from cloudlet.signing import webhook_signature

MAX_MESSAGES = 1000
ANONYMOUS_CHANNEL = "*"


@dataclasses.dataclass(slots=True)
class Message:
    """One notification for one address (``channel:NAME`` or ``batch:ID``)."""

    address: str
    body: str
    timestamp: int
    receipt_handle: str
    visible_at: float = 0.0


class Mailbox:
    """The last ``MAX_MESSAGES`` messages. A claimed message becomes visible again unless it is acknowledged."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._messages: collections.deque[Message] = collections.deque(maxlen=MAX_MESSAGES)

    def put(self, channel: str, body: dict[str, Json]) -> None:
        """Add a message for a channel or, if the channel is ``*``, for the batch that ``body`` names."""
        address = f"batch:{body.get('batch_id', '')}" if channel == ANONYMOUS_CHANNEL else f"channel:{channel}"
        text = json.dumps(body, separators=(",", ":"))
        with self._lock:
            self._messages.append(Message(address, text, int(time.time()), secrets.token_hex(16)))

    def claim(self, address: str, limit: int, visibility_seconds: int) -> list[dict[str, Json]]:
        """Claim at most ``limit`` visible messages, oldest first. They stay hidden for ``visibility_seconds``."""
        now = time.monotonic()
        with self._lock:
            free = [message for message in self._messages if message.address == address and message.visible_at <= now]
            for message in free[:limit]:
                message.visible_at = now + visibility_seconds
        return [self._shown(message) for message in free[:limit]]

    def _shown(self, message: Message) -> dict[str, Json]:
        payload = json.loads(message.body)
        return {
            "receipt_handle": message.receipt_handle,
            "batch_id": payload.get("batch_id"),
            "payload": payload,
            "signed_payload": base64.urlsafe_b64encode(message.body.encode()).decode().rstrip("="),
            "signature": webhook_signature(message.body, message.timestamp, self._secret),
            "timestamp": str(message.timestamp),
        }

    def acknowledge(self, receipt_handle: str) -> bool:
        """Delete a message. Return False if there is none with that handle."""
        with self._lock:
            found = next((message for message in self._messages if message.receipt_handle == receipt_handle), None)
            if found is not None:
                self._messages.remove(found)
        return found is not None
