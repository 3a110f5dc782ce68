"""Create passes for Apple Wallet and Google Wallet. Each is off until the operator configures its credentials.

Passes are signed locally. The only network calls go to Google, and only from workers: they create the class that all
passes of an event share, so that the link of a pass need not contain it and has room for more of the ticket.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

import ticketkit
from apps.core.jobs import dispatch
from apps.events.models import Event, EventTicket
from apps.publishing import ticket_rendering

from .models import GoogleWalletClass

logger = logging.getLogger("apps.events.wallets")

TEMPLATES_KEPT = 32
EXPIRY_WARNING = timedelta(weeks=4)
GOOGLE_CLASS_PAUSE_SECONDS = 60


class Wallet(StrEnum):
    APPLE = "Apple Wallet"
    GOOGLE = "Google Wallet"


class WalletOffError(Exception):
    """The wallet has no valid credentials, so it offers no passes."""

    def __init__(self, wallet: Wallet) -> None:
        super().__init__(f"Passes for {wallet} are not offered here. Use the ticket's PDF or its code.")


def offered() -> frozenset[Wallet]:
    """Return the wallets with valid credentials. Takes microseconds once the credentials have been loaded."""
    loaded = {Wallet.APPLE: _apple().credentials, Wallet.GOOGLE: _google().credentials}
    return frozenset(wallet for wallet, credentials in loaded.items() if credentials is not None)


def problems() -> dict[Wallet, str]:
    """Return what is wrong with the configured credentials of each wallet. The texts contain no secrets."""
    found = {Wallet.APPLE: _apple().problem, Wallet.GOOGLE: _google().problem}
    return {wallet: problem for wallet, problem in found.items() if problem}


def expiries() -> dict[Wallet, datetime]:
    """Return when the credentials of the offered wallets expire. Google's keys don't."""
    credentials = _apple().credentials
    return {Wallet.APPLE: credentials.expires_at} if credentials else {}


def expiring(now: datetime | None = None) -> dict[Wallet, str]:
    """Return a warning for each wallet whose credentials expire within `EXPIRY_WARNING`."""
    soon = (now or timezone.now()) + EXPIRY_WARNING
    return {
        wallet: f"Passes for {wallet} are offered until {moment:%Y-%m-%d}, when a certificate expires. Renew it with "
        "Apple and replace the file; no restart is needed."
        for wallet, moment in expiries().items()
        if moment < soon
    }


def apple_pass(ticket: EventTicket) -> bytes:
    """Return the ticket as a .pkpass file with its current code.

    Raises WalletOffError if Apple Wallet is off, and RenderingError if the pass can't be rendered.
    """
    credentials = _apple().credentials
    if credentials is None:
        raise WalletOffError(Wallet.APPLE)
    return _apple_template(_event_details(ticket.event_id), credentials).render(ticket_rendering.ticket_details(ticket))


def google_link(ticket: EventTicket) -> str:
    """Return the URL of Google's page that saves the ticket with its current code.

    Until a worker has created the event's class at Google, the link contains the class, and the task is sent.
    Raises WalletOffError if Google Wallet is off, and RenderingError if the pass can't be rendered.
    """
    credentials = _google().credentials
    if credentials is None:
        raise WalletOffError(Wallet.GOOGLE)
    template = _google_template(ticket.event_id, credentials)
    class_exists = _class_exists(template)
    if not class_exists:
        _create_google_class_soon(ticket.event_id)
    return template.link(ticket_rendering.ticket_details(ticket), class_exists=class_exists)


def prepare_google_class(event_pk: int) -> None:
    """Send the task that creates the class of the event, if Google Wallet is on."""
    if _google().credentials is not None:
        _create_google_class_soon(event_pk)


def _create_google_class_soon(event_pk: int) -> None:
    """Send the task that creates the class after commit, at most once a minute for each event.

    The limit spans processes that share a cache. Errors are logged and do not reach the caller: the next request for a
    link sends the task again.
    """

    def send() -> None:  # not a lambda: Django logs a failing callback by its name
        if cache.add(f"google-wallet-class:{event_pk}", 1, timeout=GOOGLE_CLASS_PAUSE_SECONDS):
            dispatch.send("apps.events.tasks.create_google_class", [event_pk], dispatch.BULK)

    transaction.on_commit(send, robust=True)


def create_google_class(event_pk: int) -> None:
    """Create the class of the event at Google unless it exists. Blocks on the network, so call it only in workers.

    Failures are logged. Links contain the class until a later call succeeds.
    """
    credentials = _google().credentials
    if credentials is None:
        return
    try:
        template = _google_template(event_pk, credentials)
    except Event.DoesNotExist:  # deleted since the task was sent
        return
    if _class_exists(template):
        return
    from . import google_api  # imported late: only workers call Google

    try:
        google_api.create_class(credentials, template.event_class)
    except google_api.GoogleWalletApiError as error:
        logger.warning(
            "The class of event %s was not created at Google: %s. Its passes work, with fewer details. The next "
            "request for a link tries again.",
            event_pk,
            error,
        )
        return
    GoogleWalletClass.objects.get_or_create(class_id=template.event_class["id"])


def _google_template(event_pk: int, credentials: ticketkit.GoogleCredentials) -> ticketkit.GooglePassTemplate:
    return ticketkit.GooglePassTemplate(_event_details(event_pk), credentials, f"event-{event_pk}")


def _class_exists(template: ticketkit.GooglePassTemplate) -> bool:
    return GoogleWalletClass.objects.filter(class_id=template.event_class["id"]).exists()


def _event_details(event_pk: int) -> ticketkit.EventDetails:
    """Return the event for a pass. Fetches it again, because the caller's event may lack its pictures."""
    events = Event.objects.select_related("organiser").prefetch_related("images")
    return ticket_rendering.event_details(events.get(pk=event_pk))


@lru_cache(maxsize=TEMPLATES_KEPT)
def _apple_template(
    details: ticketkit.EventDetails, credentials: ticketkit.AppleCredentials
) -> ticketkit.ApplePassTemplate:
    return ticketkit.ApplePassTemplate(details, credentials)


# -- Credentials -------------------------------------------------------------------------------------------------

Credentials = TypeVar("Credentials")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Credentials]):
    """The credentials, or the problem with them, or neither if none are configured."""

    credentials: Credentials | None = None
    problem: str = ""


def _apple() -> Loaded[ticketkit.AppleCredentials]:
    paths = (settings.APPLE_WALLET_CERTIFICATE, settings.APPLE_WALLET_KEY, settings.APPLE_WALLET_INTERMEDIATE)
    loaded = _load_apple(*paths, settings.APPLE_WALLET_KEY_PASSWORD, _stamps(*paths))
    if loaded.credentials is not None:
        try:
            loaded.credentials.check_period()
        except ticketkit.WalletCredentialsError as error:
            return _off(Wallet.APPLE, str(error))
    return loaded


def _google() -> Loaded[ticketkit.GoogleCredentials]:
    path = settings.GOOGLE_WALLET_CREDENTIALS
    return _load_google(path, settings.GOOGLE_WALLET_ISSUER_ID, _stamps(path))


def _stamps(*paths: str) -> tuple[tuple[int, int, int] | None, ...]:
    """Return values that change when a file is written, replaced or made readable, as a key for cached credentials."""

    def stamp(path: str) -> tuple[int, int, int] | None:
        try:
            status = os.stat(path)
        except (OSError, ValueError):  # `_read` reports the problem
            return None
        return status.st_ctime_ns, status.st_size, status.st_ino

    return tuple(stamp(path) if path else None for path in paths)


@lru_cache(maxsize=8)
def _off(wallet: Wallet, problem: str) -> Loaded[Any]:
    """Log that the wallet is off and return the problem. The cache makes it log each problem once."""
    logger.error("%s is off: %s", wallet, problem)
    return Loaded(problem=problem)


@lru_cache(maxsize=4)
def _load_apple(
    certificate: str, key: str, intermediate: str, password: str, stamps: tuple[object, ...]
) -> Loaded[ticketkit.AppleCredentials]:
    needed = {
        "APPLE_WALLET_CERTIFICATE": certificate,
        "APPLE_WALLET_KEY": key,
        "APPLE_WALLET_INTERMEDIATE": intermediate,
    }

    def load() -> ticketkit.AppleCredentials:
        own, private, issuer = (_read(setting, path) for setting, path in needed.items())
        return ticketkit.AppleCredentials.load(own, private, issuer, password.encode() or None)

    return _loaded(Wallet.APPLE, needed, load, is_wanted=bool(password))


@lru_cache(maxsize=4)
def _load_google(
    service_account: str, issuer_id: str, stamps: tuple[object, ...]
) -> Loaded[ticketkit.GoogleCredentials]:
    needed = {"GOOGLE_WALLET_CREDENTIALS": service_account, "GOOGLE_WALLET_ISSUER_ID": issuer_id}

    def load() -> ticketkit.GoogleCredentials:
        account = _read("GOOGLE_WALLET_CREDENTIALS", service_account)
        return ticketkit.GoogleCredentials.load(account.decode("utf-8-sig", "replace"), issuer_id)

    return _loaded(Wallet.GOOGLE, needed, load)


def _loaded(
    wallet: Wallet, needed: dict[str, str], load: Callable[[], Credentials], *, is_wanted: bool = False
) -> Loaded[Credentials]:
    """Return the result of `load` if all the needed settings are set, or the problem. A wrong setting raises nothing.

    `is_wanted` says that another setting of the wallet is set, so that empty ones are a problem.
    """
    missing = [setting for setting, value in needed.items() if not value]
    if len(missing) == len(needed) and not is_wanted:
        return Loaded()
    try:
        if missing:
            raise ticketkit.WalletCredentialsError(f"{', '.join(missing)} missing")
        return Loaded(load())
    except ticketkit.WalletCredentialsError as error:
        return _off(wallet, str(error))


def _read(setting: str, path: str) -> bytes:
    """Return the content of a file. Raises WalletCredentialsError if it can't be read.

    The message does not contain the path: the operator may have set a private key in place of its path.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ticketkit.WalletCredentialsError(
            f"the file that {setting} names cannot be read: {error.strerror}"
        ) from None
