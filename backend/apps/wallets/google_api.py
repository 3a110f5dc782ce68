"""Create the pass class of an event by Google's Wallet API. All passes of the event share it."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import certifi
import jwt
import urllib3
from django.conf import settings

import ticketkit

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_SECONDS = 600
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
MAX_MESSAGE_CHARACTERS = 300

_pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=certifi.where())


class GoogleWalletApiError(Exception):
    """Google did not create the class. The message says what to do and contains no secrets."""


def create_class(credentials: ticketkit.GoogleCredentials, event_class: dict[str, Any]) -> None:
    """Create the class at Google. Idempotent: the id contains a digest of the content, so an existing class is equal.

    Blocks for up to about 40 seconds. Raises GoogleWalletApiError if Google refuses or does not answer.
    """
    token = _access_token(credentials)
    status, answer = _post(
        f"{settings.GOOGLE_WALLET_API_URL.rstrip('/')}/walletobjects/v1/eventTicketClass",
        body=json.dumps(event_class).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    error = answer.get("error")
    error = error if isinstance(error, dict) else {}
    exists = status == 409 and error.get("status") != "ABORTED"  # also 409, but then nothing was created
    if status == 200 or exists:
        return
    if status in (401, 403):
        raise GoogleWalletApiError(
            f"Google answered {status}: the service account {credentials.email} may not create classes of issuer "
            f"{credentials.issuer_id}. Enable the Google Wallet API in its Google Cloud project, and add the account "
            "as a user (Developer) in the Google Pay & Wallet Console"
        )
    message = "".join(letter for letter in str(error.get("message", "")) if letter.isprintable())
    message = message.replace(token, "[token]")[:MAX_MESSAGE_CHARACTERS] or "(no message)"
    raise GoogleWalletApiError(f"Google answered {status} to the class {event_class['id']}: {message}")


def _access_token(credentials: ticketkit.GoogleCredentials) -> str:
    """Return a short-lived token for the service account (RFC 7523). Raises GoogleWalletApiError."""
    now = int(time.time())
    grant = {
        "iss": credentials.email,
        "scope": SCOPE,
        "aud": credentials.token_uri,
        "iat": now,
        "exp": now + GRANT_SECONDS,
    }
    assertion = jwt.encode(grant, credentials.private_key, "RS256")
    fields = {"grant_type": GRANT_TYPE, "assertion": assertion}
    status, answer = _post(credentials.token_uri, fields=fields, encode_multipart=False)
    token = answer.get("access_token")
    if status == 200 and isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token):
        return token
    code = str(answer.get("error", ""))
    raise GoogleWalletApiError(
        f"Google answered {status} ({code if re.fullmatch('[a-z_]{1,40}', code) else 'no reason'}) to the key of the "
        f"service account {credentials.email}. Correct this machine's clock, or create a new key for the account in "
        "Google Cloud and replace the file that GOOGLE_WALLET_CREDENTIALS names"
    )


def _post(url: str, **request: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object of the response, which is empty if the body is not a JSON object.

    Raises GoogleWalletApiError if the host does not answer, limits the rate (429) or fails (5xx).
    """
    host = urlsplit(url).hostname
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    try:
        response = _pool.request("POST", url, timeout=timeout, retries=False, redirect=False, **request)
    except urllib3.exceptions.HTTPError as error:
        raise GoogleWalletApiError(
            f"{host} did not answer ({type(error).__name__}). Allow the workers to connect to it on port 443"
        ) from error
    if response.status == 429 or response.status >= 500:
        raise GoogleWalletApiError(
            f"{host} answered {response.status}: it is overloaded or down. You need not do anything"
        )
    try:
        answer = json.loads(response.data)
    except ValueError:
        answer = {}
    return response.status, answer if isinstance(answer, dict) else {}
