"""The organiser's desk: events, tickets, files still to delete, the storage check. Django finds the classes."""

from . import deletions, events, examinations, tickets

__all__ = ["deletions", "events", "examinations", "tickets"]
