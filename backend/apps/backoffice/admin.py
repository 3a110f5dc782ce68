"""Register all admin classes. Django imports the module `admin` of every app."""

from . import accounts, deletions, events, storage_checks, tickets, webhooks

__all__ = ["accounts", "deletions", "events", "storage_checks", "tickets", "webhooks"]
