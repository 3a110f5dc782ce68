"""Render tickets as PNG and PDF.

template = EventTemplate(EventDetails(title="Concert", starts_at=...))
ticket = template.render(TicketDetails(ticket_id="...", code="...", holder="..."))
ticket.qr_png, ticket.pdf
"""

# Increment with every change to the output for the same input: the backend then re-renders published tickets, at the
# lowest priority.
RENDERER_VERSION = 1
