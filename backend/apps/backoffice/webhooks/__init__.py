"""Webhooks in the back office: a team's managers look after its endpoints. Imported by Django, which finds the classes."""

from . import endpoints, messages

__all__ = ["endpoints", "messages"]
