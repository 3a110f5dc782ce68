"""The event, tickets and people of the demo."""
