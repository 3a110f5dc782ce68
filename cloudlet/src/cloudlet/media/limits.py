"""How large a picture may be."""

MAX_SIDE = 30_000
"""Filters need memory for whole rows and columns: 1 x 40,000,000 pixels cost more than 6,300 x 6,300."""
