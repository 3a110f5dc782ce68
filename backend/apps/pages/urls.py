"""The URLs of the pages for holders."""

from django.urls import path
from django.views.generic import RedirectView

from apps.events.models import EventImage
from apps.wallets.passes import Wallet

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("tickets/", RedirectView.as_view(pattern_name="home")),  # for people who shorten the URL of a ticket
    path("favicon.ico", views.favicon),
    path("tickets/<uuid:ticket_id>/", views.ticket, name="ticket"),
    path("tickets/<uuid:ticket_id>/pdf/", views.ticket_pdf, name="ticket_pdf"),
    path(
        "tickets/<uuid:ticket_id>/apple-wallet/",
        views.ticket_wallet,
        {"wallet": Wallet.APPLE},
        name="ticket_apple_wallet",
    ),
    path(
        "tickets/<uuid:ticket_id>/google-wallet/",
        views.ticket_wallet,
        {"wallet": Wallet.GOOGLE},
        name="ticket_google_wallet",
    ),
    path(
        "events/<row_id:event_id>/<slug:sha256>.jpg",
        views.event_image,
        {"kind": EventImage.Kind.COVER.value},
        name="event_cover",
    ),
    path(
        "events/<row_id:event_id>/<slug:sha256>.png",
        views.event_image,
        {"kind": EventImage.Kind.LOGO.value},
        name="event_logo",
    ),
]
