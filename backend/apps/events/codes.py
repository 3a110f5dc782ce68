"""The text of a ticket's QR code, and the ticket that belongs to a scanned text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

import ticketkit

from .models import EventTicket, TicketCode
from .ticket_codes import digest_of


def keyring() -> ticketkit.KeyRing:
    """Return the keys of TICKET_SIGNING_KEYS, or one that is derived from SECRET_KEY if that setting is empty.

    Raises ImproperlyConfigured if TICKET_SIGNING_KEYS is malformed or SECRET_KEY is too short.
    """
    return _keyring(tuple(settings.TICKET_SIGNING_KEYS.items()), settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _keyring(configured: tuple[tuple[str, str], ...], secret_key: str) -> ticketkit.KeyRing:
    if not configured:
        try:
            return ticketkit.KeyRing(ticketkit.derive_key(secret_key.encode(), key_id=0))
        except ValueError as error:
            raise ImproperlyConfigured(f"SECRET_KEY is too short to sign ticket codes: {error}.") from error
    try:
        keys = [ticketkit.key_from_base64(seed, int(key_id)) for key_id, seed in configured]
    except ValueError as error:
        raise ImproperlyConfigured(
            "TICKET_SIGNING_KEYS must look like 2=BASE64,1=BASE64: key ids from 0 to 255, each with 32 random bytes "
            f"in base64; the first one signs. ({error})"
        ) from error
    return ticketkit.KeyRing(keys[0], {key.key_id: key.public_key for key in keys[1:]})


def code_of(ticket: EventTicket) -> str:
    """Return the text of the ticket's QR code. It depends only on the ticket, its generation and the signing key."""
    return keyring().sign(ticket.event_id, ticket.ticket_id, ticket.code_generation)


def find_ticket(text: str) -> tuple[EventTicket | None, bool]:
    """Return the ticket of a scanned text, and whether the text is its currently valid code.

    Return (None, False) if the text is no code of ours, its ticket is deleted, or two tickets claim it. A text in the
    signed form is verified by its signature; any other text is looked up in the table of accepted codes.
    """
    if not ticketkit.is_signed_form(text):
        return _find_by_accepted_code(text)
    try:
        code = keyring().read(text)
    except ticketkit.InvalidCodeError:
        return None, False
    ticket = EventTicket.objects.select_related("event", "ticket_type").filter(ticket_id=code.ticket_id).first()
    if ticket is None or ticket.event_id != code.event_id:
        return None, False
    return ticket, code.generation == ticket.code_generation


# -- Codes that are not signed -----------------------------------------------------------------------------------


def can_be_accepted(text: str) -> bool:
    """Return whether the table of accepted codes may contain the text: not blank, not too long, not in signed form."""
    return bool(text.strip()) and len(text) <= ticketkit.MAX_QR_CHARACTERS and not ticketkit.is_signed_form(text)


def is_valid_code(ticket: EventTicket, text: str) -> bool:
    """Return whether exactly this text is a valid code of the ticket. Reads `ticket.codes`, which may be prefetched."""
    if text == code_of(ticket):
        return True
    alive = {row.digest for row in ticket.codes.all() if row.dead_at is None}
    return not ticket.code_generation and can_be_accepted(text) and digest_of(text) in alive


def _find_by_accepted_code(text: str) -> tuple[EventTicket | None, bool]:
    if not can_be_accepted(text):
        return None, False
    exact, named = digest_of(text), ticketkit.parse_legacy(text)
    digests = [exact] if named is None else [exact, digest_of(str(named))]
    rows = TicketCode.objects.select_related("ticket__event", "ticket__ticket_type").filter(digest__in=digests)
    found = {row.digest: row.ticket for row in rows if exact == row.digest or _is_id_of(row.ticket, named)}
    alive = {row.digest for row in rows if row.dead_at is None}
    digest = next((digest for digest in digests if digest in found), exact)
    ticket = found.get(digest)
    # A re-issue invalidates accepted codes. Check the generation too: the previous version does not know this table.
    return ticket, ticket is not None and digest in alive and not ticket.code_generation


def _is_id_of(ticket: EventTicket | None, named: UUID | None) -> bool:
    """Return whether a legacy code names this ticket. Such codes may spell the id in any way, or be JSON."""
    return ticket is not None and ticket.ticket_id == named


@dataclass(frozen=True, slots=True)
class Accepted:
    """The result of `accept`.

    `shared` has the primary key of each ticket whose texts are all claimed by other tickets too, and the ids of the
    tickets that had them until now. `outdated` has the primary keys of tickets whose published files may carry a text
    that is invalid now, because they are from before codes were signed.
    """

    shared: Mapping[int, frozenset[UUID]]
    outdated: frozenset[int]


def accept(texts: Mapping[EventTicket, Collection[str]], source: TicketCode.Source) -> Accepted:
    """Accept each text as a code of its ticket, unless another ticket claims it too: then it is valid for neither.

    Pass some hundreds of tickets at a time. Idempotent, and safe to run concurrently: the unique digest makes a second
    transaction wait for the first and find its row. Re-issued tickets are skipped.
    """
    with transaction.atomic():
        # Lock tickets before codes, as a re-issue does, so that the two cannot interleave or deadlock.
        locked = set(EventTicket.objects.filter(pk__in=[t.pk for t in texts], code_generation=0).locked())
        claims = [
            _Claim(digest_of(text), text, ticket) for ticket in texts if ticket.pk in locked for text in texts[ticket]
        ]
        claims = sorted(filter(lambda claim: can_be_accepted(claim.text), claims), key=lambda claim: claim.digest)
        new = [TicketCode(ticket=claim.ticket, digest=claim.digest, source=source) for claim in claims]
        TicketCode.objects.bulk_create(new, ignore_conflicts=True)
        rows = TicketCode.objects.filter(digest__in=[claim.digest for claim in claims])
        found = {row.digest: row for row in rows.select_for_update(no_key=True).order_by("digest")}
        own = {claim.digest for claim in claims if found[claim.digest].ticket_id == claim.ticket.pk}
        void = {claim.digest for claim in claims if found[claim.digest].ticket_id != claim.ticket.pk}
        void |= _named_by_id(claims)
        rows.filter(digest__in=own - void).update(source=source)
        rows.filter(digest__in=void).update(ticket=None, dead_at=Coalesce("dead_at", timezone.now()))
        return _outcome(claims, [found[digest] for digest in void])


def _outcome(claims: Sequence[_Claim], void: Sequence[TicketCode]) -> Accepted:
    """Return the result of `accept`. `void` has the rows of the refused claims, as they were before."""
    owners = EventTicket.objects.in_bulk([row.ticket_id for row in void if row.ticket_id is not None])
    had = {row.digest: owners.get(row.ticket_id or 0) for row in void}
    outdated = {
        owner.pk
        for row in void
        if (owner := had[row.digest]) and owner.published_at is not None and owner.published_at < row.created_at
    }
    accepted = {claim.ticket.pk for claim in claims if claim.digest not in had}
    shared: dict[int, frozenset[UUID]] = {}
    for claim in claims:
        if claim.ticket.pk not in accepted:
            rivals = {owner.ticket_id} if (owner := had[claim.digest]) and owner != claim.ticket else set[UUID]()
            shared[claim.ticket.pk] = shared.get(claim.ticket.pk, frozenset()) | rivals
    return Accepted(shared, frozenset(outdated))


def void_codes(tickets: Collection[EventTicket]) -> None:
    """Invalidate the accepted codes of the tickets, in the transaction of their re-issue."""
    TicketCode.objects.filter(ticket__in=tickets, dead_at=None).update(dead_at=timezone.now())


@dataclass(frozen=True, slots=True)
class _Claim:
    digest: str
    text: str
    ticket: EventTicket


def _named_by_id(claims: Iterable[_Claim]) -> set[str]:
    """Return the digests of the claims whose text is a legacy code that names another ticket by its id."""
    named = {claim.digest: ticketkit.parse_legacy(claim.text) for claim in claims}
    ids = {digest_of(str(ticket_id)): ticket_id for ticket_id in named.values() if ticket_id is not None}
    if not ids:
        return set()
    rows = TicketCode.objects.select_related("ticket").filter(digest__in=ids, ticket__isnull=False)
    answering = {row.ticket.ticket_id for row in rows if row.ticket and row.ticket.ticket_id == ids[row.digest]}
    return {c.digest for c in claims if c.ticket.ticket_id != named[c.digest] and named[c.digest] in answering}
