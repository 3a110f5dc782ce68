"""Layouts: the position and style of everything on a ticket, as data."""
