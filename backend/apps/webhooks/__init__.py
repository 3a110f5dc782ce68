"""Outgoing webhooks: what happens to tickets reaches the endpoints that organisers registered, and is never lost."""
