"""Which text a ticket's QR code carries, and which ticket a scanned text names."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from .models import EventTicket
from .tokens import InvalidCode, KeyRing, derive_key, key_from_base64, parse_legacy


def keyring() -> KeyRing:
    """The keys of this deployment: `TICKET_SIGNING_KEYS`, else one derived from `SECRET_KEY`."""
    return _keyring(tuple(settings.TICKET_SIGNING_KEYS.items()), settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _keyring(configured: tuple[tuple[str, str], ...], secret_key: str) -> KeyRing:
    if not configured:
        try:
            return KeyRing(derive_key(secret_key.encode(), key_id=0))
        except ValueError as error:
            raise ImproperlyConfigured(f"SECRET_KEY is too short to sign ticket codes: {error}.") from error
    try:
        keys = [key_from_base64(seed, int(key_id)) for key_id, seed in configured]
    except ValueError as error:
        raise ImproperlyConfigured(
            "TICKET_SIGNING_KEYS must look like 2=BASE64,1=BASE64: key ids from 0 to 255, each with 32 random bytes "
            f"in base64; the first one signs. ({error})"
        ) from error
    return KeyRing(keys[0], {key.key_id: key.public_key for key in keys[1:]})


def code_of(ticket: EventTicket) -> str:
    """The text of the ticket's QR code today. The same ticket and generation always give the same text."""
    return ticket.legacy_code or keyring().sign(ticket.event_id, ticket.ticket_id, ticket.code_generation)


def find_ticket(text: str) -> tuple[EventTicket | None, bool]:
    """The ticket that a scanned text names, and whether the text is its valid code of today.

    (None, False) when the text is no code of ours or its ticket is gone. Codes from before signing count only for
    tickets that were issued then and never re-issued.
    """
    try:
        code = keyring().read(text)
    except InvalidCode:
        return _find_by_legacy_code(text)
    ticket = EventTicket.objects.select_related("event", "ticket_type").filter(ticket_id=code.ticket_id).first()
    if ticket is None or ticket.event_id != code.event_id:
        return None, False
    return ticket, code.generation == ticket.code_generation


def _find_by_legacy_code(text: str) -> tuple[EventTicket | None, bool]:
    ticket_id = parse_legacy(text)
    if ticket_id is None:
        return None, False
    tickets = EventTicket.objects.select_related("event", "ticket_type")
    ticket = tickets.filter(ticket_id=ticket_id, issued_before_signing=True).first()
    return ticket, ticket is not None and ticket.code_generation == 0
