"""A fake of Google's API for wallets: exchanges a service account's signed grant for a token, and stores classes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .webhooks.receiver import Received, Receiver, Reply, receiving

TOKEN, CLASSES = "/token", "/walletobjects/v1/eventTicketClass"  # paths
SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"


class Google:
    """The fake. `classes` are the stored classes by id. `answers` override the reply of a path."""

    def __init__(self, receiver: Receiver, public_key: RSAPublicKey, issuer_id: str) -> None:
        parts = urlsplit(receiver.url)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.classes: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, Callable[[], Reply]] = {}
        self.tokens: list[str] = []
        self.receiver = receiver
        self._public_key, self._issuer_id = public_key, issuer_id
        receiver.answer = self._answer

    @property
    def paths(self) -> list[str]:
        """Return the requested paths, in order."""
        return [received.path for received in self.receiver.received]

    def _answer(self, received: Received) -> Reply:
        if received.path in self.answers:
            return self.answers[received.path]()
        return {TOKEN: self._token, CLASSES: self._insert}[received.path](received)

    def _token(self, received: Received) -> Reply:
        try:
            fields = parse_qs(received.body.decode(), strict_parsing=True)
            assert received.headers["content-type"] == "application/x-www-form-urlencoded"
            assert fields["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            (assertion,) = fields["assertion"]
            claims = jwt.decode(
                assertion,
                self._public_key,
                ["RS256"],
                audience=f"{self.url}{TOKEN}",
                issuer="tickets@example.iam.gserviceaccount.com",
                options={"require": ["iss", "aud", "iat", "exp"]},
            )
            assert claims["scope"] == SCOPE
            assert 0 < claims["exp"] - claims["iat"] <= 3600
        except (AssertionError, KeyError, ValueError, jwt.InvalidTokenError) as error:
            return reply(400, {"error": "invalid_grant", "error_description": str(error)})
        self.tokens.append(f"ya29.{secrets.token_urlsafe(40)}")
        return reply(200, {"access_token": self.tokens[-1], "expires_in": 3599, "token_type": "Bearer"})

    def _insert(self, received: Received) -> Reply:
        if received.headers.get("authorization") not in [f"Bearer {token}" for token in self.tokens]:
            return refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        described = received.content
        missing = {"id", "issuerName", "eventName", "reviewStatus"} - described.keys()
        if missing or not described["id"].startswith(f"{self._issuer_id}."):
            return refusal(400, "INVALID_ARGUMENT", f"Invalid class: {sorted(missing)}")
        if described["id"] in self.classes:
            return refusal(409, "ALREADY_EXISTS", "An item with the same unique identifier already exists.")
        self.classes[described["id"]] = described
        return reply(200, described)


def reply(status: int, content: object) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


def refusal(status: int, name: str, message: str) -> Reply:
    return reply(status, {"error": {"code": status, "message": message, "status": name}})


@contextmanager
def running_google(public_key: RSAPublicKey, issuer_id: str) -> Iterator[Google]:
    with receiving() as receiver:
        yield Google(receiver, public_key, issuer_id)
