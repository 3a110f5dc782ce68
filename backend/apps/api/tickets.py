"""Show, list and regenerate tickets, for holders and organisers."""

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
from .pagination import PageQuery, page_of
from .schemas import EventTicketsQuery, RegenerateIn, TicketOut, TicketPage
from .serializers import ticket_out, with_related
from .throttling import PerPerson

router = Router(tags=["Tickets"])
ONE_YEAR_SECONDS = 365 * 24 * 3600

# Clients may store the response, but must revalidate it. With the ETag, an unchanged response costs a few bytes.
revalidated = decorate_view(conditional_page, cache_control(private=True, no_cache=True))
CONDITIONAL = {
    "parameters": [
        {
            "in": "header",
            "name": "If-None-Match",
            "schema": {"type": "string"},
            "required": False,
            "description": "The ETag of your copy. If it is still current, the response is 304 with no body.",
        }
    ],
    "responses": {
        200: {
            "headers": {
                "ETag": {"schema": {"type": "string"}, "description": "Send it as If-None-Match with the next request."}
            }
        }
    },
}


def readable_ticket(
    request: SignedInRequest, ticket_id: UUID, at_least: AccessLevel = AccessLevel.DOOR
) -> tuple[EventTicket, TicketAccess]:
    """Return the ticket and what the user may do with it.

    Raises ApiError 404 if there is no such ticket, or if the user's access level is below `at_least`.
    """
    ticket = with_related(EventTicket.objects.all()).filter(ticket_id=ticket_id).first()
    if ticket is not None:
        access = TicketAccess(request.auth, ticket)
        if access.level >= at_least:
            return ticket, access
    raise ApiError(404, "This ticket does not exist, or you don't have access to it.")


@router.get(
    "ticket/{ticket_id}/",
    response={200: TicketOut, 304: None, **declared(401, 404, 422)},
    operation_id="get_ticket",
    summary="Get a ticket",
    openapi_extra=CONDITIONAL,
)
@revalidated
def get_ticket(request: SignedInRequest, ticket_id: UUID) -> TicketOut:
    """Return a ticket with its event, its code and the URLs of both files.

    For the holder, the managers of the organiser's team, the team's door staff (without code, files and e-mail
    address), and Django staff with the permission to view tickets. Everyone else gets 404.

    `qr_code_url` and `pdf_ticket_url` are null until there are files with this `code`; until then, draw the code
    yourself. While files are re-rendered with the same code, you get the URLs of the old files, which stay valid.
    After a re-issue both URLs are null until the new files are ready, and the old URLs stop working.
    """
    ticket, access = readable_ticket(request, ticket_id)
    return ticket_out(ticket, access.level)


@router.post(
    "regenerate/{ticket_id}/",
    response={202: TicketOut, **declared(400, 401, 403, 404, 409, 422, 429)},
    operation_id="regenerate_ticket",
    summary="Re-render or re-issue a ticket",
    throttle=PerPerson("regenerate"),
)
def regenerate(request: SignedInRequest, ticket_id: UUID, options: RegenerateIn | None = None) -> Status[TicketOut]:
    """Create both files of a ticket again and replace the stored ones. The body is optional.

    The response comes before the files are ready: poll the ticket until its `state` is `ready`. The code stays the
    same, so all earlier copies stay valid.

    With `{"reissue": true}` the ticket gets a new code. All earlier copies are refused at once, and the URLs of the
    earlier files return 404 soon afterwards. This is for organisers and for Django staff with the permission to change
    tickets. A used ticket can't be re-issued (409).
    """
    ticket, access = readable_ticket(request, ticket_id)
    if not access.may_rerender:
        raise ApiError(403, "Only the holder and the organiser can re-render a ticket.")
    if options is not None and options.reissue:
        if not access.may_reissue:
            raise ApiError(403, "Only the organiser can re-issue a ticket. Leave out `reissue` to re-render its files.")
        issuing.reissue(ticket)
        audit_log.note(request.auth, [ticket], audit_log.REISSUED)
    else:
        requests.rerender(ticket)
    return Status(202, ticket_out(ticket, access.level))


@router.get(
    "tickets/",
    response={200: TicketPage, 304: None, **declared(401, 422)},
    operation_id="list_own_tickets",
    summary="List your own tickets",
    openapi_extra=CONDITIONAL,
)
@revalidated
def list_own_tickets(request: SignedInRequest, query: Query[PageQuery]) -> TicketPage:
    """Return the tickets issued to your account or to an e-mail address that you have confirmed, newest first.

    Follow `next_cursor` until it is null. Tickets that are issued or deleted meanwhile cause no duplicates or gaps.
    """
    own = EventTicket.objects.all().held_by(request.auth)
    return _page(own, query, AccessLevel.HOLDER)


@router.get(
    "{row_id:event_id}/tickets/",
    response={200: TicketPage, 304: None, **declared(401, 403, 404, 422)},
    operation_id="list_event_tickets",
    summary="List the tickets of an event",
    openapi_extra=CONDITIONAL,
)
@revalidated
def list_event_tickets(request: SignedInRequest, event_id: int, query: Query[EventTicketsQuery]) -> TicketPage:
    """Return the tickets of an event, newest first.

    For the managers of the organiser's team and for Django staff with the permission to view tickets.
    """
    event = Event.objects.filter(pk=event_id).first()
    if event is None or not may_list_tickets(request.auth, event):
        if event is not None and role_in_team(request.auth, event):
            raise ApiError(403, "Only managers of the team can list tickets. Door staff can check them one by one.")
        raise ApiError(404, "This event does not exist, or you don't manage it.")
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
    page, next_cursor = page_of(with_related(found), query)
    return TicketPage(items=[ticket_out(ticket, level) for ticket in page], next_cursor=next_cursor)


@router.get(
    "{row_id:event_id}/cover/{sha256}/",
    response={200: None, **declared(404)},
    auth=None,
    operation_id="get_event_cover",
    summary="Get the picture of an event",
    url_name="event_cover",
    openapi_extra={"responses": {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}},
)
def event_cover(request: HttpRequest, event_id: int, sha256: str) -> HttpResponse:
    """Return the picture that `cover_url` of a ticket's event refers to.

    It needs no sign-in, so that image loaders and caches can fetch it. The URL contains the picture's SHA-256 hash,
    which can't be guessed.
    """
    cover = EventImage.objects.filter(event=event_id, kind=EventImage.Kind.COVER).first()
    if cover is None or cover.sha256 != sha256:
        raise ApiError(404, "This picture does not exist. Fetch the ticket again for the event's current picture.")
    response = HttpResponse(bytes(cast(bytes, cover.content)), content_type=cover.media_type)
    patch_cache_control(response, public=True, max_age=ONE_YEAR_SECONDS, immutable=True)
    return response
