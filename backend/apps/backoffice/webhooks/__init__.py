"""Admin classes for webhooks, where managers maintain the endpoints of their teams."""

from . import endpoints, messages

__all__ = ["endpoints", "messages"]
