"""The addresses of the pages."""

from django.urls import path
from django.views.generic import RedirectView

from . import pages
from .models import EventImage
from .wallets import Wallet

urlpatterns = [
    path("", pages.home, name="home"),
    path("tickets/", RedirectView.as_view(pattern_name="home")),  # what is left of a ticket's address cut short
    path("favicon.ico", pages.favicon),
    path("tickets/<uuid:ticket_id>/", pages.ticket, name="ticket"),
    path("tickets/<uuid:ticket_id>/pdf/", pages.ticket_pdf, name="ticket_pdf"),
    path(
        "tickets/<uuid:ticket_id>/apple-wallet/",
        pages.ticket_wallet,
        {"wallet": Wallet.APPLE},
        name="ticket_apple_wallet",
    ),
    path(
        "tickets/<uuid:ticket_id>/google-wallet/",
        pages.ticket_wallet,
        {"wallet": Wallet.GOOGLE},
        name="ticket_google_wallet",
    ),
    path(
        "events/<row_id:event_id>/<slug:sha256>.jpg",
        pages.event_image,
        {"kind": EventImage.Kind.COVER.value},
        name="event_cover",
    ),
    path(
        "events/<row_id:event_id>/<slug:sha256>.png",
        pages.event_image,
        {"kind": EventImage.Kind.LOGO.value},
        name="event_logo",
    ),
]
