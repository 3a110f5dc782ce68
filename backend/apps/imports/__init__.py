"""Attendee lists from files: read, headings understood, every line checked."""
