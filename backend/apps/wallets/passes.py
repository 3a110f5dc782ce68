"""Passes for the wallets on people's phones, each off until the operator has configured its credentials.

A pass is signed on this machine, and the phone takes it from there. Google alone is called, and only by a worker: it
creates the class that the passes of an event share, so that links have room for more of the ticket.
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

from apps.core.jobs import dispatch
from apps.events.models import Event, EventTicket
from apps.publishing import ticket_rendering
from ticketkit import (
    AppleCredentials,
    ApplePassTemplate,
    EventDetails,
    GoogleCredentials,
    GooglePassTemplate,
    WalletCredentialsError,
)

from . import google_api
from .models import GoogleWalletClass

logger = logging.getLogger("apps.events.wallets")

TEMPLATES_KEPT = 32
EXPIRY_WARNING = timedelta(weeks=4)
GOOGLE_CLASS_PAUSE_SECONDS = 60


class Wallet(StrEnum):
    APPLE = "Apple Wallet"
    GOOGLE = "Google Wallet"


class WalletOffError(Exception):
    """A pass for a wallet that this deployment has no good credentials for."""

    def __init__(self, wallet: Wallet) -> None:
        super().__init__(f"Passes for {wallet} are not offered here. The ticket's PDF and its code are.")


def offered() -> frozenset[Wallet]:
    """The wallets that passes can be made for. Costs some microseconds once the credentials have been loaded."""
    loaded = {Wallet.APPLE: _apple().credentials, Wallet.GOOGLE: _google().credentials}
    return frozenset(wallet for wallet, credentials in loaded.items() if credentials is not None)


def problems() -> dict[Wallet, str]:
    """What is wrong with credentials that are configured, without any of their contents."""
    found = {Wallet.APPLE: _apple().problem, Wallet.GOOGLE: _google().problem}
    return {wallet: problem for wallet, problem in found.items() if problem}


def expiries() -> dict[Wallet, datetime]:
    """When the credentials of each wallet that is on end, if they do. Google's keys have no end."""
    credentials = _apple().credentials
    return {Wallet.APPLE: credentials.expires_at} if credentials else {}


def expiring(now: datetime | None = None) -> dict[Wallet, str]:
    """What to do about credentials that end within some weeks."""
    soon = (now or timezone.now()) + EXPIRY_WARNING
    return {
        wallet: f"Passes for {wallet} are offered until {moment:%Y-%m-%d}, when a certificate ends. Renew it with "
        "Apple and put the new file in the place of the old; no restart is needed."
        for wallet, moment in expiries().items()
        if moment < soon
    }


def apple_pass(ticket: EventTicket) -> bytes:
    """The ticket as a .pkpass file with today's code. Raises WalletOffError, RenderingError."""
    credentials = _apple().credentials
    if credentials is None:
        raise WalletOffError(Wallet.APPLE)
    return _apple_template(_event_details(ticket.event_id), credentials).render(ticket_rendering.ticket_details(ticket))


def google_link(ticket: EventTicket) -> str:
    """Return the address at which Google saves the ticket with today's code. Raises WalletOffError, RenderingError.

    It carries the event's class until a worker has created that at Google, which it asks for.
    """
    credentials = _google().credentials
    if credentials is None:
        raise WalletOffError(Wallet.GOOGLE)
    template = _google_template(ticket.event_id, credentials)
    class_exists = _is_recorded(template)
    if not class_exists:
        _create_google_class_soon(ticket.event_id)
    return template.link(ticket_rendering.ticket_details(ticket), class_exists=class_exists)


def prepare_google_class(event_pk: int) -> None:
    """Ask for the class of the event's passes before their holders do, if Google Wallet is on."""
    if _google().credentials is not None:
        _create_google_class_soon(event_pk)


def _create_google_class_soon(event_pk: int) -> None:
    """Have the class of the event's passes created at Google after commit: at most once a minute for each event.

    Processes count together if they share a cache. Whatever goes wrong is logged and costs the caller nothing: the
    next link that is asked for sends it again.
    """

    def send() -> None:  # a function of its own: Django logs what fails in a callback by its name
        if cache.add(f"google-wallet-class:{event_pk}", 1, timeout=GOOGLE_CLASS_PAUSE_SECONDS):
            dispatch.send("apps.events.tasks.create_google_class", [event_pk], dispatch.BULK)

    transaction.on_commit(send, robust=True)


def create_google_class(event_pk: int) -> None:
    """Create the class of the event's passes at Google, unless that is done. Calls the network: for workers only.

    A failure is logged; until a later call succeeds, links carry the class themselves.
    """
    credentials = _google().credentials
    if credentials is None:
        return
    try:
        template = _google_template(event_pk, credentials)
    except Event.DoesNotExist:  # deleted since the task was sent
        return
    if _is_recorded(template):
        return
    try:
        google_api.create_class(credentials, template.event_class)
    except google_api.GoogleWalletApiError as error:
        logger.warning(
            "The class of event %s was not created at Google: %s. Its passes are offered, with fewer details; the next "
            "link that is asked for tries again.",
            event_pk,
            error,
        )
        return
    GoogleWalletClass.objects.get_or_create(class_id=template.event_class["id"])


def _google_template(event_pk: int, credentials: GoogleCredentials) -> GooglePassTemplate:
    return GooglePassTemplate(_event_details(event_pk), credentials, f"event-{event_pk}")


def _is_recorded(template: GooglePassTemplate) -> bool:
    return GoogleWalletClass.objects.filter(class_id=template.event_class["id"]).exists()


def _event_details(event_pk: int) -> EventDetails:
    """Fetched for the purpose: the event of a ticket that is to be shown often comes without its pictures."""
    events = Event.objects.select_related("organiser").prefetch_related("images")
    return ticket_rendering.event_details(events.get(pk=event_pk))


@lru_cache(maxsize=TEMPLATES_KEPT)
def _apple_template(details: EventDetails, credentials: AppleCredentials) -> ApplePassTemplate:
    return ApplePassTemplate(details, credentials)


# -- Credentials -------------------------------------------------------------------------------------------------

Credentials = TypeVar("Credentials")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Credentials]):
    """Credentials; or what is wrong with them; or neither, where none are configured."""

    credentials: Credentials | None = None
    problem: str = ""


def _apple() -> Loaded[AppleCredentials]:
    paths = (settings.APPLE_WALLET_CERTIFICATE, settings.APPLE_WALLET_KEY, settings.APPLE_WALLET_INTERMEDIATE)
    loaded = _load_apple(*paths, settings.APPLE_WALLET_KEY_PASSWORD, _stamps(*paths))
    if loaded.credentials is not None:
        try:
            loaded.credentials.check_period()
        except WalletCredentialsError as error:
            return _off(Wallet.APPLE, str(error))
    return loaded


def _google() -> Loaded[GoogleCredentials]:
    path = settings.GOOGLE_WALLET_CREDENTIALS
    return _load_google(path, settings.GOOGLE_WALLET_ISSUER_ID, _stamps(path))


def _stamps(*paths: str) -> tuple[tuple[int, int, int] | None, ...]:
    """Return what changes when a file is written, replaced or made readable: the key that credentials are cached by."""

    def stamp(path: str) -> tuple[int, int, int] | None:
        try:
            status = os.stat(path)
        except (OSError, ValueError):  # loading says what is wrong with it
            return None
        return status.st_ctime_ns, status.st_size, status.st_ino

    return tuple(stamp(path) if path else None for path in paths)


@lru_cache(maxsize=8)
def _off(wallet: Wallet, problem: str) -> Loaded[Any]:
    """A wallet that is off, which is logged once for each reason."""
    logger.error("%s is off: %s", wallet, problem)
    return Loaded(problem=problem)


@lru_cache(maxsize=4)
def _load_apple(
    certificate: str, key: str, intermediate: str, password: str, stamps: tuple[object, ...]
) -> Loaded[AppleCredentials]:
    needed = {
        "APPLE_WALLET_CERTIFICATE": certificate,
        "APPLE_WALLET_KEY": key,
        "APPLE_WALLET_INTERMEDIATE": intermediate,
    }

    def load() -> AppleCredentials:
        own, private, issuer = (_read(setting, path) for setting, path in needed.items())
        return AppleCredentials.load(own, private, issuer, password.encode() or None)

    return _loaded(Wallet.APPLE, needed, load, is_wanted=bool(password))


@lru_cache(maxsize=4)
def _load_google(service_account: str, issuer_id: str, stamps: tuple[object, ...]) -> Loaded[GoogleCredentials]:
    needed = {"GOOGLE_WALLET_CREDENTIALS": service_account, "GOOGLE_WALLET_ISSUER_ID": issuer_id}

    def load() -> GoogleCredentials:
        account = _read("GOOGLE_WALLET_CREDENTIALS", service_account)
        return GoogleCredentials.load(account.decode("utf-8-sig", "replace"), issuer_id)

    return _loaded(Wallet.GOOGLE, needed, load)


def _loaded(
    wallet: Wallet, needed: dict[str, str], load: Callable[[], Credentials], *, is_wanted: bool = False
) -> Loaded[Credentials]:
    """What `load` answers, if all that it needs is set. A wallet that fails is off; it takes no ticket with it."""
    missing = [setting for setting, value in needed.items() if not value]
    if len(missing) == len(needed) and not is_wanted:
        return Loaded()
    try:
        if missing:
            raise WalletCredentialsError(f"{', '.join(missing)} missing")
        return Loaded(load())
    except WalletCredentialsError as error:
        return _off(wallet, str(error))


def _read(setting: str, path: str) -> bytes:
    """The file's content. No error names the value: somebody may have set a key itself in place of its path."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WalletCredentialsError(f"the file that {setting} names cannot be read: {error.strerror}") from None
