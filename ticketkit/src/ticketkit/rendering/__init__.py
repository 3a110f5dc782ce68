"""Renders tickets: values in, PNG and PDF bytes out. Pure Python without Django, usable alone.

template = EventTemplate(EventDetails(title="Concert", starts_at=...))
ticket = template.render(TicketDetails(ticket_id="...", code="...", holder="..."))
ticket.qr_png, ticket.pdf
"""

from ticketkit.rendering.details import EventDetails, RenderedTicket, TicketDetails
from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.qr import qr_matrix
from ticketkit.rendering.qr.drawing import render_qr_png
from ticketkit.rendering.template import EventTemplate

# Raise it with every change to how a ticket of the same values looks or reads: tickets that are published already are
# then made anew, behind all others.
RENDERER_VERSION = 1

__all__ = [
    "RENDERER_VERSION",
    "EventDetails",
    "EventTemplate",
    "RenderedTicket",
    "RenderingError",
    "TicketDetails",
    "qr_matrix",
    "render_qr_png",
]
