"""Render sample tickets in ten languages: ``python -m ticketkit.gallery docs``."""
