"""Tickets, for their holders and for organisers."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from ninja import Query, Router, Status
from ninja.decorators import decorate_view

from apps.events import audit_log, issuing
from apps.events.models import Event, EventImage, EventTicket
from apps.events.permissions import AccessLevel, TicketAccess, may_list_tickets, role_in_team
from apps.publishing import requests

from .authentication import SignedInRequest
from .errors import ApiError, declared
from .paging import PageQuery, page_of
from .present import ticket_out, with_all_shown
from .schemas import EventTicketsQuery, RegenerateIn, TicketOut, TicketPage
from .throttling import PerPerson

router = Router(tags=["Tickets"])
ONE_YEAR = 365 * 24 * 3600

# An answer may be kept, but is asked for again: with the ETag that costs a few bytes when nothing has changed.
revalidated = decorate_view(conditional_page, cache_control(private=True, no_cache=True))
CONDITIONAL = {
    "parameters": [
        {
            "in": "header",
            "name": "If-None-Match",
            "schema": {"type": "string"},
            "required": False,
            "description": "The ETag of the copy that you have; 304, with no body, says that it is still right.",
        }
    ],
    "responses": {
        200: {"headers": {"ETag": {"schema": {"type": "string"}, "description": "Send it back as If-None-Match."}}}
    },
}


def readable_ticket(
    request: SignedInRequest, ticket_id: UUID, at_least: AccessLevel = AccessLevel.DOOR
) -> tuple[EventTicket, TicketAccess]:
    """The ticket, if the asker may see so much of it. Raises ApiError 404."""
    ticket = with_all_shown(EventTicket.objects.all()).filter(ticket_id=ticket_id).first()
    if ticket is not None:
        access = TicketAccess(request.auth, ticket)
        if access.level >= at_least:
            return ticket, access
    raise ApiError(404, "There is no such ticket, or it is not yours to see.")


@router.get(
    "ticket/{ticket_id}/",
    response={200: TicketOut, 304: None, **declared(401, 404, 422)},
    operation_id="get_ticket",
    summary="A ticket",
    openapi_extra=CONDITIONAL,
)
@revalidated
def get_ticket(request: SignedInRequest, ticket_id: UUID) -> TicketOut:
    """The ticket with its event, the code itself, and the URLs of both files.

    For its holder, the organiser's managers, the team's door staff (who see less: no code, files or e-mail address)
    and Django staff with the permission to view tickets. For everybody else there is no such ticket.

    `qr_code_url` and `pdf_ticket_url` are null as long as there are no files that carry `code`; draw the code yourself
    then. While files are made anew with the same code, the URLs of the old ones are given, which stay valid. After a
    re-issue they are null until there are new files, and the earlier ones stop working.
    """
    ticket, access = readable_ticket(request, ticket_id)
    return ticket_out(ticket, access.level)


@router.post(
    "regenerate/{ticket_id}/",
    response={202: TicketOut, **declared(400, 401, 403, 404, 409, 422, 429)},
    operation_id="regenerate_ticket",
    summary="Make a ticket's files anew",
    throttle=PerPerson("regenerate"),
)
def regenerate(request: SignedInRequest, ticket_id: UUID, wish: RegenerateIn | None = None) -> Status[TicketOut]:
    """Both files are made anew and replace those on storage; this is answered before they are. The body is optional.

    The code stays the same, so every earlier copy stays valid. With `{"reissue": true}`, which is for organisers (and
    Django staff with the permission to change tickets), the ticket gets a new code, and every earlier copy is refused
    from this moment on; links to its earlier files answer 404 soon. A used ticket can't be re-issued: 409.
    """
    ticket, access = readable_ticket(request, ticket_id)
    if not access.may_rerender:
        raise ApiError(403, "Only the ticket's holder and the organiser can have its files made anew.")
    if wish is not None and wish.reissue:
        if not access.may_reissue:
            raise ApiError(403, "Only the organiser can re-issue a ticket. Without `reissue` its files are made anew.")
        issuing.reissue(ticket)
        audit_log.note(request.auth, [ticket], audit_log.REISSUED)
    else:
        requests.rerender(ticket)
    return Status(202, ticket_out(ticket, access.level))


@router.get(
    "tickets/",
    response={200: TicketPage, 304: None, **declared(401, 422)},
    operation_id="list_own_tickets",
    summary="Your own tickets",
    openapi_extra=CONDITIONAL,
)
@revalidated
def list_own_tickets(request: SignedInRequest, query: Query[PageQuery]) -> TicketPage:
    """Tickets that were issued to your account, or to an e-mail address that you have confirmed. Newest first.

    Follow `next_cursor` until it is null. Pages stay stable while tickets are issued and deleted.
    """
    own = EventTicket.objects.all().held_by(request.auth)
    return _page(own, query, AccessLevel.HOLDER)


@router.get(
    "{row_id:event_id}/tickets/",
    response={200: TicketPage, 304: None, **declared(401, 403, 404, 422)},
    operation_id="list_event_tickets",
    summary="An event's tickets",
    openapi_extra=CONDITIONAL,
)
@revalidated
def list_event_tickets(request: SignedInRequest, event_id: int, query: Query[EventTicketsQuery]) -> TicketPage:
    """For the managers of the event's team and Django staff with the permission to view tickets. Newest first."""
    event = Event.objects.filter(pk=event_id).first()
    if event is None or not may_list_tickets(request.auth, event):
        if event is not None and role_in_team(request.auth, event):
            raise ApiError(403, "Door staff check tickets one by one; the list of them is for the team's managers.")
        raise ApiError(404, "There is no such event, or you don't manage it.")
    found = EventTicket.objects.filter(event=event)
    if query.state:
        found = found.filter(state=query.state)
    if text := query.search.strip():
        found = found.filter(_matches(text))
    return _page(found, query, AccessLevel.ORGANISER)


def _matches(text: str) -> Q:
    matches = Q(holder_name__icontains=text) | Q(holder_email__icontains=text) | Q(order_reference__icontains=text)
    try:
        return matches | Q(ticket_id=UUID(text))
    except ValueError:
        return matches


def _page(found: QuerySet[EventTicket], query: PageQuery, level: AccessLevel) -> TicketPage:
    page, next_cursor = page_of(with_all_shown(found), query)
    return TicketPage(items=[ticket_out(ticket, level) for ticket in page], next_cursor=next_cursor)


@router.get(
    "{row_id:event_id}/cover/{sha256}/",
    response={200: None, **declared(404)},
    auth=None,
    operation_id="get_event_cover",
    summary="An event's picture",
    url_name="event_cover",
    openapi_extra={"responses": {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}},
)
def event_cover(request: HttpRequest, event_id: int, sha256: str) -> HttpResponse:
    """The picture behind a ticket's `cover_url`.

    Needs no sign-in, so that any picture loader and any cache can fetch it: its address holds the picture's own hash,
    which nobody knows who has not been given it.
    """
    cover = EventImage.objects.filter(event=event_id, kind=EventImage.Kind.COVER).first()
    if cover is None or cover.sha256 != sha256:
        raise ApiError(404, "There is no such picture. Fetch the ticket again for the event's picture of today.")
    response = HttpResponse(bytes(cast(bytes, cover.content)), content_type=cover.media_type)
    patch_cache_control(response, public=True, max_age=ONE_YEAR, immutable=True)
    return response
