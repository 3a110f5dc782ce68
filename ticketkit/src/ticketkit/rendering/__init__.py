"""Render tickets as PNG and PDF.

template = EventTemplate(EventDetails(title="Concert", starts_at=...))
ticket = template.render(TicketDetails(ticket_id="...", code="...", holder="..."))
ticket.qr_png, ticket.pdf
"""

from ticketkit.rendering.details import EventDetails, RenderedTicket, TicketDetails
from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.qr import qr_matrix
from ticketkit.rendering.qr.drawing import render_qr_png
from ticketkit.rendering.template import EventTemplate

# Increment with every change to the output for the same input: the backend then re-renders published tickets, at the
# lowest priority.
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
