"""Pages for holders: the list of tickets, a ticket, its PDF and passes, pictures of events. No JavaScript needed."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.text import slugify
from django.views.decorators.http import conditional_page, require_safe

import ticketkit
from apps.accounts.models import Membership, User
from apps.events.codes import code_of
from apps.events.models import Event, EventImage, EventTicket
from apps.events.permissions import AccessLevel, TicketAccess
from apps.storage import gateway
from apps.wallets.passes import Wallet, offered

TICKETS_PER_PAGE = 30
ONE_YEAR_SECONDS = 365 * 24 * 3600
MAX_FILE_NAME_CHARACTERS = 60
WALLET_PAGES = {Wallet.APPLE: "ticket_apple_wallet", Wallet.GOOGLE: "ticket_google_wallet"}
WALLET_ROUTES = {Wallet.APPLE: "api:apple_wallet", Wallet.GOOGLE: "api:google_wallet"}
# An event without an end counts as past this long after its start.
DEFAULT_DURATION = timedelta(hours=18)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the user's own tickets and the events that they manage, or a welcome page if they are signed out."""
    if not request.user.is_authenticated:
        return render(request, "pages/welcome.html")
    user = request.user
    earlier = "earlier" in request.GET
    over = _is_over(timezone.now())
    tickets = _with_event(EventTicket.objects.held_by(user)).filter(over if earlier else ~over)
    tickets = tickets.order_by("-event__starts_at" if earlier else "event__starts_at", "pk")
    page = Paginator(tickets, TICKETS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "earlier": earlier,
        "page": page,
        "tickets": [_about(ticket) for ticket in page],
        "managed": _managed_events(user) if not earlier else [],
    }
    return _revalidated(render(request, "pages/home.html", context))


@require_safe
@login_required
@conditional_page
def ticket(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    """Show a ticket with its QR code. The code is rendered here, so it does not depend on the stored files."""
    found, access = _ticket_or_404(cast(User, request.user), ticket_id)
    code = base64.b64encode(ticketkit.render_qr_png(code_of(found))).decode()
    context = _about(found) | {"qr": f"data:image/png;base64,{code}", "is_own": access.is_holder}
    context["wallets"] = [(wallet, WALLET_PAGES[wallet]) for wallet in Wallet if wallet in offered()]
    return _revalidated(render(request, "pages/ticket.html", context))


@require_safe
@login_required
def ticket_pdf(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    """Redirect to the signed URL of the PDF, or to the ticket while no PDF has its current code.

    The browser saves the PDF under the slug of the event's title: `fl_attachment` of Cloudinary allows neither dots
    nor slashes in the name.
    """
    found, _ = _ticket_or_404(cast(User, request.user), ticket_id)
    if not found.has_files:
        return redirect(found)
    name = slugify(found.event.title)[:MAX_FILE_NAME_CHARACTERS].strip("-") or "ticket"
    at = (gateway.PDF_TICKET, found.pdf_ticket_cloudinary_id, found.pdf_ticket_version)
    return _revalidated(redirect(gateway.delivery_url(*at, transformation=f"fl_attachment:{name}")))


@require_safe
@login_required
def ticket_wallet(request: HttpRequest, ticket_id: UUID, wallet: Wallet) -> HttpResponse:
    """Redirect to the pass in the API. Signed-out browsers get the sign-in page here, not the API's JSON error."""
    found, _ = _ticket_or_404(cast(User, request.user), ticket_id)
    if wallet not in offered():
        raise Http404
    return _revalidated(redirect(WALLET_ROUTES[wallet], ticket_id=found.ticket_id))


@require_safe
def event_image(request: HttpRequest, event_id: int, sha256: str, kind: str) -> HttpResponse:
    """Return the cover or logo of an event. It needs no sign-in: the URL contains the hash of the picture."""
    image = get_object_or_404(EventImage, event=event_id, sha256=sha256, kind=kind)
    response = HttpResponse(bytes(image.content), content_type=image.media_type)
    patch_cache_control(response, public=True, max_age=ONE_YEAR_SECONDS, immutable=True)
    return response


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Redirect to the icon. Browsers request /favicon.ico for documents that name no icon, such as JSON."""
    return redirect(static("site/icon.svg"))


# -- Access ------------------------------------------------------------------------------------------------------


def _ticket_or_404(user: User, ticket_id: UUID) -> tuple[EventTicket, TicketAccess]:
    """Return the ticket and the user's access to it. Raises Http404 unless the user may see its code."""
    found = get_object_or_404(_with_event(EventTicket.objects.all()), ticket_id=ticket_id)
    access = TicketAccess(user, found)
    if access.level < AccessLevel.HOLDER:
        raise Http404
    return found, access


def _managed_events(user: User) -> QuerySet[Event]:
    teams = user.memberships.filter(role=Membership.Role.MANAGER).values("organiser")
    events = Event.objects.filter(organiser__in=teams).select_related("organiser")
    return events.annotate(ticket_count=Count("tickets")).order_by("-starts_at", "pk")[:TICKETS_PER_PAGE]


# -- Queries and context -----------------------------------------------------------------------------------------


def _is_over(now: datetime) -> Q:
    return Q(event__ends_at__lt=now) | Q(event__ends_at=None, event__starts_at__lt=now - DEFAULT_DURATION)


def _with_event(tickets: QuerySet[EventTicket]) -> QuerySet[EventTicket]:
    images = Prefetch("event__images", EventImage.objects.defer("content"))  # `event_image` serves the content
    return tickets.select_related("event__organiser", "ticket_type").prefetch_related(images)


def _about(ticket: EventTicket) -> dict[str, Any]:
    """Return the template context of a ticket, with labels, date and time in the event's language and time zone."""
    event = ticket.event
    date, time = ticketkit.format_date_and_time(event.starts_at, event.ends_at, event.zone.key, event.language)
    images = {image.kind: image for image in event.images.all()}
    return {
        "ticket": ticket,
        "event": event,
        "labels": ticketkit.labels_for(event.language),
        "direction": "rtl" if ticketkit.is_right_to_left(event.language) else "ltr",
        "date": date,
        "time": time,
        "doors": ticketkit.format_time_of_day(event.doors_at, event.zone.key, event.language, event.starts_at)
        if event.doors_at
        else "",
        "cover": images.get(EventImage.Kind.COVER),
    }


def _revalidated(response: HttpResponse) -> HttpResponse:
    """Let the browser store the response, but revalidate it while it is online.

    Unlike with `no-store`, the back button and a restored tab show the code without a network. `Vary: Cookie` keeps
    the stored response from the next user of the browser.
    """
    patch_cache_control(response, private=True, no_cache=True)
    return response
