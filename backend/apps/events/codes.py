"""Which text a ticket's QR code carries, and which ticket a scanned text names."""

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

from ticketkit import MAX_QR_CHARACTERS, InvalidCode, KeyRing, derive_key, is_signed_form, key_from_base64, parse_legacy

from .models import EventTicket, TicketCode
from .ticket_codes import digest_of


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
    return keyring().sign(ticket.event_id, ticket.ticket_id, ticket.code_generation)


def find_ticket(text: str) -> tuple[EventTicket | None, bool]:
    """The ticket that a scanned text names, and whether the text is its valid code of today.

    (None, False) when the text is no code of ours, its ticket is gone, or two tickets share it. A text in the form of a
    signed code is judged by its signature alone; every other text by the table of accepted codes.
    """
    if not is_signed_form(text):
        return _find_by_accepted_code(text)
    try:
        code = keyring().read(text)
    except InvalidCode:
        return None, False
    ticket = EventTicket.objects.select_related("event", "ticket_type").filter(ticket_id=code.ticket_id).first()
    if ticket is None or ticket.event_id != code.event_id:
        return None, False
    return ticket, code.generation == ticket.code_generation


# -- Codes that are not signed -----------------------------------------------------------------------------------


def can_be_accepted(text: str) -> bool:
    """Whether the text can be a code by the table: it says something, fits a QR code, and is in no signed form."""
    return bool(text.strip()) and len(text) <= MAX_QR_CHARACTERS and not is_signed_form(text)


def lets_in(ticket: EventTicket, text: str) -> bool:
    """Whether exactly this text lets the ticket's holder in today. Reads `ticket.codes`, which may be prefetched."""
    if text == code_of(ticket):
        return True
    alive = {row.digest for row in ticket.codes.all() if row.dead_at is None}
    return not ticket.code_generation and can_be_accepted(text) and digest_of(text) in alive


def _find_by_accepted_code(text: str) -> tuple[EventTicket | None, bool]:
    if not can_be_accepted(text):
        return None, False
    exact, named = digest_of(text), parse_legacy(text)
    digests = [exact] if named is None else [exact, digest_of(str(named))]
    rows = TicketCode.objects.select_related("ticket__event", "ticket__ticket_type").filter(digest__in=digests)
    found = {row.digest: row.ticket for row in rows if exact == row.digest or _is_id_of(row.ticket, named)}
    alive = {row.digest for row in rows if row.dead_at is None}
    digest = next((digest for digest in digests if digest in found), exact)
    ticket = found.get(digest)
    # A code from elsewhere is older than any re-issue. A process of the version before re-issues without this table.
    return ticket, ticket is not None and digest in alive and not ticket.code_generation


def _is_id_of(ticket: EventTicket | None, named: UUID | None) -> bool:
    """Whether the ticket answers to its id in any spelling, and in JSON: as codes from before signing always did."""
    return ticket is not None and ticket.ticket_id == named


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of texts that were to be accepted.

    `shared`: by the key of a ticket all of whose texts others claim too, the ids of those that had them until now.
    `outdated`: the keys of tickets whose files may carry a text that is void now, as files from before signing do.
    """

    shared: Mapping[int, frozenset[UUID]]
    outdated: frozenset[int]


def accept(texts: Mapping[EventTicket, Collection[str]], source: TicketCode.Source) -> Accepted:
    """Accept each text, exactly, for its ticket, unless another ticket has it too: then it is void for both.

    Takes some hundreds of tickets at a time, and is safe to repeat and to run several times at once: the unique digest
    makes the second transaction wait for the first, and find its row. Tickets that were re-issued are left alone.
    """
    with transaction.atomic():
        # Locked before the codes, as a re-issue does it, which therefore comes before or after the whole of this.
        there = set(EventTicket.objects.filter(pk__in=[t.pk for t in texts], code_generation=0).locked())
        claims = [
            _Claim(digest_of(text), text, ticket) for ticket in texts if ticket.pk in there for text in texts[ticket]
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
    """`void`: the rows of claims that were refused, as they were before."""
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
    """Void every text that the tickets were known by; for the transaction of their re-issue."""
    TicketCode.objects.filter(ticket__in=tickets, dead_at=None).update(dead_at=timezone.now())


@dataclass(frozen=True, slots=True)
class _Claim:
    digest: str
    text: str
    ticket: EventTicket


def _named_by_id(claims: Iterable[_Claim]) -> set[str]:
    """The digests of claims whose text names another ticket, in a spelling in which that one answers to its id."""
    named = {claim.digest: parse_legacy(claim.text) for claim in claims}
    ids = {digest_of(str(ticket_id)): ticket_id for ticket_id in named.values() if ticket_id is not None}
    if not ids:
        return set()
    rows = TicketCode.objects.select_related("ticket").filter(digest__in=ids, ticket__isnull=False)
    answering = {row.ticket.ticket_id for row in rows if row.ticket and row.ticket.ticket_id == ids[row.digest]}
    return {c.digest for c in claims if c.ticket.ticket_id != named[c.digest] and named[c.digest] in answering}
