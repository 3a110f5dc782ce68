"""Tickets as passes for the wallets on people's phones."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from ninja import Router

from apps.events.models import EventTicket
from apps.events.permissions import AccessLevel
from apps.wallets import passes
from ticketkit import RenderingError

from .authentication import SignedInRequest
from .errors import ApiError, declared
from .tickets import readable_ticket

logger = logging.getLogger("apps.events.api.wallets")
router = Router(tags=["Tickets"])
Pass = TypeVar("Pass")

APPLE_PASS = "application/vnd.apple.pkpass"  # noqa: S105 # a media type
PASS_FILE = {"responses": {200: {"content": {APPLE_PASS: {"schema": {"type": "string", "format": "binary"}}}}}}
SAVE_LINK = {
    "responses": {
        302: {"headers": {"Location": {"schema": {"type": "string"}, "description": "Google's page that saves it."}}}
    }
}


def _made(request: SignedInRequest, ticket_id: UUID, make: Callable[[EventTicket], Pass]) -> Pass:
    """What `make` answers for a ticket whose code the user may see.

    ApiError 404 for every other ticket and for a wallet that is off, 409 for a ticket that can't be drawn.
    """
    ticket, _ = readable_ticket(request, ticket_id, AccessLevel.HOLDER)
    try:
        return make(ticket)
    except passes.WalletOffError as error:
        raise ApiError(404, str(error)) from error
    except RenderingError as error:
        logger.warning("Ticket %s can't be made into a pass: %s", ticket_id, error)
        raise ApiError(409, "This ticket can't be made into a pass. Its code works; tell the organiser.") from error


@router.get(
    "ticket/{ticket_id}/apple-wallet/",
    response={200: None, **declared(401, 404, 409, 422)},
    operation_id="get_apple_wallet_pass",
    summary="A ticket for Apple Wallet",
    url_name="apple_wallet",
    openapi_extra=PASS_FILE,
)
def apple_wallet(request: SignedInRequest, ticket_id: UUID) -> HttpResponse:
    """The pass that a ticket's `apple_wallet_url` leads to, signed, with the code of this moment.

    For those who may see the ticket's code. 404 also where passes for Apple Wallet are not offered: the ticket's
    `apple_wallet_url` is null there. Adding it again replaces the pass of before.
    """
    content = _made(request, ticket_id, passes.apple_pass)
    headers = {"Content-Disposition": f'attachment; filename="ticket_{ticket_id}.pkpass"'}
    return HttpResponse(content, content_type=APPLE_PASS, headers=headers)


@router.get(
    "ticket/{ticket_id}/google-wallet/",
    response={302: None, **declared(401, 404, 409, 422)},
    operation_id="get_google_wallet_link",
    summary="A ticket for Google Wallet",
    url_name="google_wallet",
    openapi_extra=SAVE_LINK,
)
def google_wallet(request: SignedInRequest, ticket_id: UUID) -> HttpResponse:
    """On to Google's page that saves the ticket with the code of this moment. An app opens what `Location` says.

    For those who may see the ticket's code. 404 also where passes for Google Wallet are not offered: the ticket's
    `google_wallet_url` is null there. A ticket that was re-issued, or an event that has changed, makes another pass.
    """
    return HttpResponseRedirect(_made(request, ticket_id, passes.google_link))
