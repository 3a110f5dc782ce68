"""Register every admin class of the project: Django imports this module of each app."""

from . import accounts, deletions, events, storage_checks, tickets, webhooks

__all__ = ["accounts", "deletions", "events", "storage_checks", "tickets", "webhooks"]
