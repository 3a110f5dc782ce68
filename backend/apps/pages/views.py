"""What a holder sees in a browser: the list of tickets, a ticket, its PDF, an event's pictures. No JavaScript."""

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

from apps.accounts.models import Membership, User
from apps.events.codes import code_of
from apps.events.models import Event, EventImage, EventTicket
from apps.events.permissions import AccessLevel, TicketAccess
from apps.storage import gateway
from apps.wallets.passes import Wallet, offered
from ticketkit import format_date_and_time, format_time_of_day, is_right_to_left, labels_for, render_qr_png

TICKETS_A_PAGE = 30
ONE_YEAR = 365 * 24 * 3600
LONGEST_NAME = 60  # of a downloaded file, in characters
WALLET_PAGES = {Wallet.APPLE: "ticket_apple_wallet", Wallet.GOOGLE: "ticket_google_wallet"}
WALLET_ROUTES = {Wallet.APPLE: "api:apple_wallet", Wallet.GOOGLE: "api:google_wallet"}
# How long an event without an end counts as still to come.
USUAL_LENGTH = timedelta(hours=18)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Signed out: what this is. Signed in: one's own tickets, and the events of the teams one manages."""
    if not request.user.is_authenticated:
        return render(request, "pages/welcome.html")
    user = request.user
    earlier = "earlier" in request.GET
    over = _is_over(timezone.now())
    tickets = _with_event(EventTicket.objects.held_by(user)).filter(over if earlier else ~over)
    tickets = tickets.order_by("-event__starts_at" if earlier else "event__starts_at", "pk")
    page = Paginator(tickets, TICKETS_A_PAGE).get_page(request.GET.get("page"))
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
    """One ticket with its QR code, which is drawn here, so that it is there before any file is."""
    found, access = _ticket_or_404(cast(User, request.user), ticket_id)
    code = base64.b64encode(render_qr_png(code_of(found))).decode()
    context = _about(found) | {"qr": f"data:image/png;base64,{code}", "is_own": access.is_holder}
    context["wallets"] = [(wallet, WALLET_PAGES[wallet]) for wallet in Wallet if wallet in offered()]
    return _revalidated(render(request, "pages/ticket.html", context))


@require_safe
@login_required
def ticket_pdf(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    """On to the PDF's signed address, or back to the ticket while there is no PDF that carries today's code.

    It is saved under the event's title. Only the letters a-z, digits and hyphens of it: names in URLs of Cloudinary
    may have neither dots nor slashes.
    """
    found, _ = _ticket_or_404(cast(User, request.user), ticket_id)
    if not found.has_files:
        return redirect(found)
    name = slugify(found.event.title)[:LONGEST_NAME].strip("-") or "ticket"
    at = (gateway.PDF_TICKET, found.pdf_ticket_cloudinary_id, found.pdf_ticket_version)
    return _revalidated(redirect(gateway.delivery_url(*at, transformation=f"fl_attachment:{name}")))


@require_safe
@login_required
def ticket_wallet(request: HttpRequest, ticket_id: UUID, wallet: Wallet) -> HttpResponse:
    """On to the ticket's pass in the API, which would tell a browser that is signed out so in JSON."""
    found, _ = _ticket_or_404(cast(User, request.user), ticket_id)
    if wallet not in offered():
        raise Http404
    return _revalidated(redirect(WALLET_ROUTES[wallet], ticket_id=found.ticket_id))


@require_safe
def event_image(request: HttpRequest, event_id: int, sha256: str, kind: str) -> HttpResponse:
    """An event's cover or logo, for whoever was given its address, which changes with the picture, as in the API."""
    image = get_object_or_404(EventImage, event=event_id, sha256=sha256, kind=kind)
    response = HttpResponse(bytes(image.content), content_type=image.media_type)
    patch_cache_control(response, public=True, max_age=ONE_YEAR, immutable=True)
    return response


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for where no page has named an icon: answers of the API, files, other software's pages."""
    return redirect(static("site/icon.svg"))


# -- Who sees what -----------------------------------------------------------------------------------------------


def _ticket_or_404(user: User, ticket_id: UUID) -> tuple[EventTicket, TicketAccess]:
    """The ticket, for those who may see its code; for all others it doesn't exist."""
    found = get_object_or_404(_with_event(EventTicket.objects.all()), ticket_id=ticket_id)
    access = TicketAccess(user, found)
    if access.level < AccessLevel.HOLDER:
        raise Http404
    return found, access


def _managed_events(user: User) -> QuerySet[Event]:
    teams = user.memberships.filter(role=Membership.Role.MANAGER).values("organiser")
    events = Event.objects.filter(organiser__in=teams).select_related("organiser")
    return events.annotate(ticket_count=Count("tickets")).order_by("-starts_at", "pk")[:TICKETS_A_PAGE]


# -- What is shown -----------------------------------------------------------------------------------------------


def _is_over(now: datetime) -> Q:
    return Q(event__ends_at__lt=now) | Q(event__ends_at=None, event__starts_at__lt=now - USUAL_LENGTH)


def _with_event(tickets: QuerySet[EventTicket]) -> QuerySet[EventTicket]:
    images = Prefetch("event__images", EventImage.objects.defer("content"))  # each is fetched by its own address
    return tickets.select_related("event__organiser", "ticket_type").prefetch_related(images)


def _about(ticket: EventTicket) -> dict[str, Any]:
    """A ticket in the words of its event's own language and on its clocks."""
    event = ticket.event
    date, time = format_date_and_time(event.starts_at, event.ends_at, event.zone.key, event.language)
    images = {image.kind: image for image in event.images.all()}
    return {
        "ticket": ticket,
        "event": event,
        "labels": labels_for(event.language),
        "direction": "rtl" if is_right_to_left(event.language) else "ltr",
        "date": date,
        "time": time,
        "doors": format_time_of_day(event.doors_at, event.zone.key, event.language, event.starts_at)
        if event.doors_at
        else "",
        "cover": images.get(EventImage.Kind.COVER),
    }


def _revalidated(response: HttpResponse) -> HttpResponse:
    """Kept by the browser, but asked for again when there is a network.

    Unlike `no-store` this lets the back button and a restored tab show the code where reception is bad; the session
    cookie, on which the answer varies, keeps it from the next user of the browser.
    """
    patch_cache_control(response, private=True, no_cache=True)
    return response
