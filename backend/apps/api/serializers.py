"""Serialise tickets, events and verdicts."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet
from django.urls import reverse

from apps.accounts.public_url import absolute_url
from apps.checkin.admission import CheckResult, Verdict
from apps.events.codes import code_of
from apps.events.models import Event, EventImage, EventTicket
from apps.events.permissions import AccessLevel
from apps.wallets.passes import Wallet, offered

from .schemas import EventOut, HolderOut, ScannedEventOut, ScannedTicketOut, TicketOut, VerdictOut


def with_related(tickets: QuerySet[EventTicket]) -> QuerySet[EventTicket]:
    """Return the tickets with the related rows that `ticket_out` reads: two queries for any number of tickets."""
    covers = EventImage.objects.filter(kind=EventImage.Kind.COVER).defer("content")
    return tickets.select_related("event", "ticket_type").prefetch_related(Prefetch("event__images", covers))


def ticket_out(ticket: EventTicket, level: AccessLevel) -> TicketOut:
    """Return the ticket with the fields that this access level may see. All other fields are None."""
    shows_code = level >= AccessLevel.HOLDER
    has_urls = shows_code and ticket.has_files
    wallets = offered() if shows_code else frozenset()
    return TicketOut(
        ticket_id=ticket.ticket_id,
        event=_event_out(ticket.event),
        holder=HolderOut(name=ticket.holder_name, email=ticket.holder_email if shows_code else None),
        quantity=ticket.quantity,
        ticket_type=ticket.ticket_type.name if ticket.ticket_type else None,
        order_reference=ticket.order_reference,
        state=EventTicket.State(ticket.state),
        reason=ticket.reason if ticket.reason and level >= AccessLevel.ORGANISER else None,
        code=code_of(ticket) if shows_code else None,
        qr_code_url=ticket.qr_code.url if has_urls else None,
        pdf_ticket_url=ticket.pdf_ticket.url if has_urls else None,
        apple_wallet_url=_ticket_url("apple_wallet", ticket) if Wallet.APPLE in wallets else None,
        google_wallet_url=_ticket_url("google_wallet", ticket) if Wallet.GOOGLE in wallets else None,
        issued_at=ticket.issued_at,
        used_at=ticket.used_at,
    )


def _ticket_url(name: str, ticket: EventTicket) -> str:
    return absolute_url(reverse(f"api:{name}", args=[ticket.ticket_id]))


def _event_out(event: Event) -> EventOut:
    cover = next(iter(event.images.all()), None)
    cover_path = reverse("api:event_cover", args=[event.pk, cover.sha256]) if cover else ""
    return EventOut(
        id=event.pk,
        title=event.title,
        starts_at=event.local(event.starts_at),
        ends_at=event.local(event.ends_at) if event.ends_at else None,
        doors_at=event.local(event.doors_at) if event.doors_at else None,
        time_zone=event.time_zone,
        venue=event.venue,
        address=event.address,
        cover_url=absolute_url(cover_path) if cover else None,
    )


def verdict_out(result: CheckResult) -> VerdictOut:
    ticket = result.ticket
    return VerdictOut(
        verdict=result.verdict,
        message=_message(result),
        ticket=None
        if ticket is None
        else ScannedTicketOut(
            ticket_id=ticket.ticket_id,
            event=ScannedEventOut(
                id=ticket.event_id, title=ticket.event.title, starts_at=ticket.event.local(ticket.event.starts_at)
            ),
            holder_name=ticket.holder_name,
            quantity=ticket.quantity,
            ticket_type=ticket.ticket_type.name if ticket.ticket_type else None,
            order_reference=ticket.order_reference,
            used_at=ticket.used_at,
        ),
    )


def _message(result: CheckResult) -> str:
    ticket = result.ticket
    if ticket is None:
        return "Unknown: this is not a ticket for any of your events."
    if result.verdict is Verdict.WRONG_EVENT:
        return f"Wrong event: this ticket is for “{ticket.event.title}”."
    if result.verdict is Verdict.REISSUED:
        return "Replaced: this ticket was re-issued, and this copy is no longer valid. Ask for the newer one."
    if result.verdict is Verdict.USED and ticket.used_at is not None:
        return f"Used: already admitted on {ticket.event.local(ticket.used_at):%Y-%m-%d at %H:%M:%S}."
    return "Valid: one person." if ticket.quantity == 1 else f"Valid: {ticket.quantity} people."
