"""Passes of tickets for Apple Wallet and Google Wallet."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from ninja import Router

import ticketkit
from apps.events.models import EventTicket
from apps.events.permissions import AccessLevel
from apps.wallets import passes

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
        302: {
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Google's page that saves the pass."}}
        }
    }
}


def _make_pass(request: SignedInRequest, ticket_id: UUID, make: Callable[[EventTicket], Pass]) -> Pass:
    """Return the result of `make` for a ticket whose code the user may see.

    Raises ApiError 404 for all other tickets and if the wallet is off, and 409 if the pass can't be rendered.
    """
    ticket, _ = readable_ticket(request, ticket_id, AccessLevel.HOLDER)
    try:
        return make(ticket)
    except passes.WalletOffError as error:
        raise ApiError(404, str(error)) from error
    except ticketkit.RenderingError as error:
        logger.warning("Ticket %s can't be rendered as a pass: %s", ticket_id, error)
        raise ApiError(409, "No pass can be created for this ticket. Its code works. Tell the organiser.") from error


@router.get(
    "ticket/{ticket_id}/apple-wallet/",
    response={200: None, **declared(401, 404, 409, 422)},
    operation_id="get_apple_wallet_pass",
    summary="Get the Apple Wallet pass of a ticket",
    url_name="apple_wallet",
    openapi_extra=PASS_FILE,
)
def apple_wallet(request: SignedInRequest, ticket_id: UUID) -> HttpResponse:
    """Return the signed pass with the ticket's current code. Its URL is `apple_wallet_url` of the ticket.

    For users who may see the code of the ticket. Returns 404 also if the server does not offer passes for Apple
    Wallet; then `apple_wallet_url` is null. Adding a pass again replaces the earlier one.
    """
    content = _make_pass(request, ticket_id, passes.apple_pass)
    headers = {"Content-Disposition": f'attachment; filename="ticket_{ticket_id}.pkpass"'}
    return HttpResponse(content, content_type=APPLE_PASS, headers=headers)


@router.get(
    "ticket/{ticket_id}/google-wallet/",
    response={302: None, **declared(401, 404, 409, 422)},
    operation_id="get_google_wallet_link",
    summary="Get the Google Wallet link of a ticket",
    url_name="google_wallet",
    openapi_extra=SAVE_LINK,
)
def google_wallet(request: SignedInRequest, ticket_id: UUID) -> HttpResponse:
    """Redirect to Google's page that saves a pass with the ticket's current code. In an app, open `Location`.

    For users who may see the code of the ticket. Returns 404 also if the server does not offer passes for Google
    Wallet; then `google_wallet_url` is null. After a re-issue or a change of the event, the link saves another pass.
    """
    return HttpResponseRedirect(_make_pass(request, ticket_id, passes.google_link))
